//! References that have nothing to refer to: an expression is evaluated without a context, so a field's name, `$` and
//! `$$` outside of any path, predicate or function mean nothing. AWS refuses them with the definition.

use jsonata_core::ast::AstNode;

/// Every such name, once, in the order of the text. What functions defined in the expression do is not looked at.
pub(super) fn references(expression: &AstNode) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    // a stack of its own: expressions may be nested deeper than a thread's
    let mut open = vec![expression];
    while let Some(node) = open.pop() {
        let name = match node {
            AstNode::Name(name) => Some(name.as_str()),
            AstNode::Variable(name) if name.is_empty() => Some("$"),
            AstNode::ParentVariable(_) => Some("$$"),
            _ => None,
        };
        if let Some(name) = name.filter(|name| !found.iter().any(|known| known == name)) {
            found.push(name.to_owned());
        }
        let below = open.len();
        children(node, &mut open);
        open[below..].reverse();
    }
    found
}

/// The parts of a node that are evaluated where the node is.
fn children<'a>(node: &'a AstNode, open: &mut Vec<&'a AstNode>) {
    match node {
        // what follows the first step has its result to refer to
        AstNode::Path { steps } => open.extend(steps.first().map(|step| &step.node)),
        AstNode::Binary { lhs, rhs, .. } => open.extend([&**lhs, &**rhs]),
        AstNode::Unary { operand, .. } => open.push(operand),
        AstNode::Function { args, .. } => open.extend(args),
        AstNode::Call { procedure, args } => {
            open.push(procedure);
            open.extend(args);
        }
        AstNode::Array(items) | AstNode::Block(items) | AstNode::ArrayGroup(items) => open.extend(items),
        AstNode::Object(pairs) => open.extend(pairs.iter().flat_map(|(name, value)| [name, value])),
        AstNode::ObjectTransform { input, .. } | AstNode::Sort { input, .. } => open.push(input),
        AstNode::Conditional {
            condition,
            then_branch,
            else_branch,
        } => {
            open.extend([&**condition, &**then_branch]);
            open.extend(else_branch.as_deref());
        }
        AstNode::FunctionApplication(inner) => open.push(inner),
        AstNode::Lambda { .. }
        | AstNode::Transform { .. }
        | AstNode::Name(_)
        | AstNode::Variable(_)
        | AstNode::ParentVariable(_)
        | AstNode::String(_)
        | AstNode::Number(_)
        | AstNode::Boolean(_)
        | AstNode::Null
        | AstNode::Undefined
        | AstNode::Placeholder
        | AstNode::Regex { .. }
        | AstNode::Wildcard
        | AstNode::Descendant
        | AstNode::Parent(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stands_outside_of_everything_is_found() {
        for (text, expected) in [
            ("phone", &["phone"][..]),
            ("a.b + c[d] & a", &["a", "c"]),
            ("$states.input.items[status = 'x'].name", &[]),
            ("$map($x, function($v) { name })", &[]),
            ("$x ? { 'k': y } : [z, $, $$]", &["y", "z", "$", "$$"]),
            ("$sum(prices) ~> $string", &["prices"]),
            ("[1..5][$ % 2 = 0]", &[]),
            ("($f := $x; $f.a; `b c`)", &["b c"]),
            ("a^(b){c: d}", &["a"]),
        ] {
            let parsed = jsonata_core::parser::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(references(&parsed), expected, "{text}");
        }
    }
}
