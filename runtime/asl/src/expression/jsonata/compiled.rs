//! Syntax trees of expressions: each is parsed once for every thread that evaluates it, and kept for as long as the
//! definition it stands in is. The evaluator's trees can't be shared between threads.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::{Arc, Weak};

use jsonata_core::ast::AstNode;
use jsonata_core::parser;

use super::Expression;

/// So many trees are kept before those of definitions that are gone are looked for.
const SWEEP_FROM: usize = 1_024;

#[derive(Default)]
struct Trees {
    /// By the address of the expression, which the weak reference keeps from being used again.
    of: BTreeMap<usize, (Weak<Expression>, Rc<AstNode>)>,
    sweep_at: usize,
}

thread_local! {
    static TREES: RefCell<Trees> = RefCell::default();
}

/// Parses a text.
///
/// # Errors
/// The parser's words.
pub(super) fn parse(text: &str) -> Result<Rc<AstNode>, String> {
    parser::parse(text).map(Rc::new).map_err(|error| error.to_string())
}

/// The tree of an expression.
///
/// # Errors
/// The parser's words.
pub(super) fn tree(expression: &Arc<Expression>) -> Result<Rc<AstNode>, String> {
    let address = Arc::as_ptr(expression) as usize;
    if let Some(tree) = TREES.with_borrow(|trees| trees.of.get(&address).map(|(_, tree)| Rc::clone(tree))) {
        return Ok(tree);
    }
    let tree = parse(&expression.text)?;
    TREES.with_borrow_mut(|trees| {
        if trees.of.len() >= trees.sweep_at.max(SWEEP_FROM) {
            trees.of.retain(|_, (expression, _)| expression.strong_count() > 0);
            trees.sweep_at = 2 * trees.of.len();
        }
        trees.of.insert(address, (Arc::downgrade(expression), Rc::clone(&tree)));
    });
    Ok(tree)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trees_are_made_once_and_go_with_their_expressions() {
        let expression = |text: String| {
            Arc::new(Expression {
                text,
                field: String::new(),
                reads: Default::default(),
            })
        };
        let kept: Vec<_> = (0..2 * SWEEP_FROM).map(|n| expression(n.to_string())).collect();
        let trees: Vec<_> = kept.iter().map(|kept| tree(kept).expect("a number")).collect();
        for n in 0..10 * SWEEP_FROM {
            tree(&expression(n.to_string())).expect("a number");
        }
        for (kept, made) in kept.iter().zip(&trees) {
            assert!(Rc::ptr_eq(&tree(kept).expect("a number"), made));
        }
        assert!(TREES.with_borrow(|trees| trees.of.len()) <= 4 * SWEEP_FROM + 1);
    }
}
