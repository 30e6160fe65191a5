//! The attribute macro of the `sandstep` crate, which re-exports it and documents how it is used.
//! Owns the shape of a task function and its mistakes; knows nothing of JSON or of the host.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{Error, FnArg, ItemFn, ReturnType};

/// Makes the function the crate's task. See the documentation of the `sandstep` crate.
#[proc_macro_attribute]
pub fn task(arguments: proc_macro::TokenStream, item: proc_macro::TokenStream) -> proc_macro::TokenStream {
    expand(arguments.into(), item.into())
        .unwrap_or_else(Error::into_compile_error)
        .into()
}

fn expand(arguments: TokenStream, item: TokenStream) -> Result<TokenStream, Error> {
    if !arguments.is_empty() {
        return Err(Error::new_spanned(arguments, "`#[sandstep::task]` takes no arguments"));
    }
    let function: ItemFn = syn::parse2(item)?;
    check(&function)?;

    let name = &function.sig.ident;
    // A task that asks for nothing accepts any input: a Pass state's leftovers shouldn't fail it.
    let entry = if function.sig.inputs.is_empty() {
        quote!(::sandstep::__private::handle(&input, |_: ::sandstep::__private::AnyInput| #name()))
    } else {
        quote!(::sandstep::__private::handle(&input, #name))
    };

    Ok(quote! {
        #function

        // Natively there is no host to export to: the function stays an ordinary one, for tests.
        #[cfg(not(target_family = "wasm"))]
        const _: () = {
            #[allow(dead_code)]
            fn check_types(input: ::std::string::String) {
                let _ = #entry;
            }
        };

        #[cfg(target_family = "wasm")]
        #[allow(unsafe_code)]
        const _: () = {
            struct Task;

            impl ::sandstep::__private::Guest for Task {
                fn handle(
                    input: ::std::string::String,
                ) -> ::core::result::Result<::std::string::String, ::sandstep::__private::WireError> {
                    ::sandstep::__private::report_panics();
                    #entry.map_err(::core::convert::Into::into)
                }
            }

            ::sandstep::__private::export_task!(Task with_types_in ::sandstep::__private::bindings);
        };
    })
}

fn check(function: &ItemFn) -> Result<(), Error> {
    let signature = &function.sig;
    if let Some(asyncness) = signature.asyncness {
        return Err(Error::new_spanned(
            asyncness,
            "a task is a plain function: it runs alone in its instance, with nothing to wait for; remove `async`",
        ));
    }
    if !signature.generics.params.is_empty() {
        return Err(Error::new_spanned(
            &signature.generics,
            "a task can't be generic: the host calls it with JSON, so its types must be known here",
        ));
    }
    if let Some(receiver) = signature.receiver() {
        return Err(Error::new_spanned(
            receiver,
            "a task is a free function: take the state's input instead of `self`",
        ));
    }
    if let Some(second) = signature.inputs.iter().nth(1) {
        return Err(Error::new_spanned(
            second,
            "a task takes one argument, the state's input; put several values into one struct and shape them with the state's `Parameters`",
        ));
    }
    if let Some(FnArg::Typed(argument)) = signature.inputs.first()
        && matches!(*argument.ty, syn::Type::Reference(_))
    {
        return Err(Error::new_spanned(
            &argument.ty,
            "a task owns its input: take it by value, without `&`",
        ));
    }
    match &signature.output {
        ReturnType::Default => Err(Error::new_spanned(
            &signature.ident,
            "a task returns `Result<Output, TaskError>`; for one without output, `Result<(), TaskError>`",
        )),
        ReturnType::Type(_, output) if !output.to_token_stream().to_string().contains("Result") => Err(
            Error::new_spanned(output, "a task returns a `Result`: `Result<Output, TaskError>`"),
        ),
        ReturnType::Type(..) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(item: TokenStream) -> String {
        expand(TokenStream::new(), item)
            .expect_err("must be refused")
            .to_string()
    }

    #[test]
    fn a_task_keeps_its_function_and_gains_an_export() {
        let code = expand(
            TokenStream::new(),
            quote!(
                pub fn charge(order: Order) -> Result<Receipt, TaskError> {
                    todo!()
                }
            ),
        )
        .expect("a task")
        .to_string();
        assert!(code.contains("pub fn charge (order : Order)"), "{code}");
        assert!(code.contains("handle (& input , charge)"), "{code}");
        assert!(code.contains("export_task !"), "{code}");
    }

    #[test]
    fn a_task_without_argument_accepts_any_input() {
        let code = expand(
            TokenStream::new(),
            quote!(
                fn tick() -> Result<(), TaskError> {
                    Ok(())
                }
            ),
        )
        .expect("a task")
        .to_string();
        assert!(code.contains("AnyInput"), "{code}");
    }

    #[test]
    fn what_cannot_be_a_task_is_refused_with_the_way_out() {
        for (item, words) in [
            (
                quote!(
                    async fn f(a: A) -> Result<(), E> {}
                ),
                "remove `async`",
            ),
            (
                quote!(
                    fn f<T>(a: T) -> Result<(), E> {}
                ),
                "can't be generic",
            ),
            (
                quote!(
                    fn f(&self) -> Result<(), E> {}
                ),
                "free function",
            ),
            (
                quote!(
                    fn f(a: A, b: B) -> Result<(), E> {}
                ),
                "one argument",
            ),
            (
                quote!(
                    fn f(a: &str) -> Result<(), E> {}
                ),
                "by value",
            ),
            (
                quote!(
                    fn f(a: A) {}
                ),
                "Result<(), TaskError>",
            ),
            (
                quote!(
                    fn f(a: A) -> String {}
                ),
                "returns a `Result`",
            ),
        ] {
            let message = refusal(item);
            assert!(message.contains(words), "`{message}` should contain `{words}`");
        }
        assert!(
            refusal(quote!(
                struct Charge;
            ))
            .contains("expected"),
            "not a function"
        );
        let message = expand(
            quote!(name = "x"),
            quote!(
                fn f(a: A) -> Result<(), E> {}
            ),
        )
        .expect_err("no arguments")
        .to_string();
        assert!(message.contains("no arguments"), "{message}");
    }
}
