//! AWS's functions on top of JSONata's; what would read the outside world reads the bindings instead.

use std::cell::Cell;
use std::rc::Rc;

use jsonata_core::ast::AstNode;
use jsonata_core::evaluator::{Context, Evaluator, EvaluatorError};
use jsonata_core::value::JValue;

use super::super::context::{Bindings, split_mix};
use super::super::intrinsics::{self, JavaRandom};
use super::part::Part;
use super::{MAX_SEQUENCE, compiled};

type Answer = Result<JValue, EvaluatorError>;

/// Gives the evaluator those of them that `names` asks for.
pub(super) fn register(
    evaluator: &mut Evaluator,
    names: &[(String, Part)],
    bindings: &Bindings<'_>,
) -> Result<(), EvaluatorError> {
    let mut dice = None;
    let mut dice = || Rc::clone(dice.get_or_insert_with(|| Rc::new(Dice(Cell::new(bindings.random())))));
    let now = bindings.now().0;
    for (name, _) in names {
        match name.as_str() {
            "partition" => evaluator.register_fn("partition", partition)?,
            "range" => evaluator.register_fn("range", range)?,
            "hash" => evaluator.register_fn("hash", hash)?,
            "parse" => evaluator.register_fn("parse", parse)?,
            "uuid" => {
                let dice = dice();
                evaluator.register_fn("uuid", move |_: &[JValue]| {
                    Ok(JValue::from(intrinsics::uuid(dice.next(), dice.next())))
                })?;
            }
            "random" => {
                let dice = dice();
                evaluator.register_fn_override("random", move |arguments: &[JValue]| Ok(random(arguments, &dice)))?;
            }
            "shuffle" => {
                let dice = dice();
                evaluator.register_fn_override("shuffle", move |arguments: &[JValue]| Ok(shuffle(arguments, &dice)))?;
            }
            "millis" => {
                evaluator.register_fn_override("millis", move |arguments: &[JValue]| match arguments {
                    [] => Ok(JValue::from_f64(now as f64)),
                    _ => Err(error(
                        "T0410: Argument 1 of function \"millis\" does not match function signature",
                    )),
                })?;
            }
            "now" => evaluator.register_fn_override("now", move |arguments: &[JValue]| now_as(arguments, now))?,
            "eval" => evaluator.register_fn_override("eval", |_: &[JValue]| {
                Err(error("T1006: Attempted to invoke a non-function"))
            })?,
            _ => {}
        }
    }
    Ok(())
}

fn error(message: impl Into<String>) -> EvaluatorError {
    EvaluatorError::EvaluationError(message.into())
}

/// Random bits that all functions of one evaluation draw from.
struct Dice(Cell<u64>);

impl Dice {
    fn next(&self) -> u64 {
        let (bits, next) = split_mix(self.0.get());
        self.0.set(next);
        bits
    }
}

fn partition(arguments: &[JValue]) -> Answer {
    let items = arguments
        .first()
        .and_then(JValue::as_array)
        .ok_or_else(|| error("T0410: Argument 1 of function \"partition\" does not match function signature"))?;
    let size = arguments
        .get(1)
        .and_then(JValue::as_f64)
        .map(|size| size.trunc() as i64)
        .and_then(|size| usize::try_from(size).ok())
        .filter(|size| *size > 0)
        .ok_or_else(|| error("T0410: Argument 2 of function \"partition\" does not match function signature"))?;
    Ok(JValue::array(
        items.chunks(size).map(|chunk| JValue::array(chunk.to_vec())).collect(),
    ))
}

fn range(arguments: &[JValue]) -> Answer {
    let number = |index: usize| {
        let number = arguments.get(index).and_then(JValue::as_f64);
        number.ok_or_else(|| {
            error(format!(
                "T0410: Argument {} of function \"range\" does not match function signature",
                index + 1
            ))
        })
    };
    let (from, to, step) = (number(0)?, number(1)?, number(2)?);
    let count = ((to - from) / step).floor();
    if step == 0.0 || count.is_nan() || count >= MAX_SEQUENCE as f64 {
        return Err(error(
            "D2014: The size of the sequence allocated by the range operator is too large",
        ));
    }
    Ok(JValue::sequence(
        (0..=count.max(-1.0) as i64)
            .map(|index| JValue::from_f64(from + index as f64 * step))
            .collect(),
    ))
}

fn hash(arguments: &[JValue]) -> Answer {
    let text = |index: usize| arguments.get(index).and_then(JValue::as_str);
    let data =
        text(0).ok_or_else(|| error("T0410: Argument 1 of function \"hash\" does not match function signature"))?;
    intrinsics::hash(data, text(1).unwrap_or("MD5"))
        .map(JValue::from)
        .map_err(error)
}

fn parse(arguments: &[JValue]) -> Answer {
    match arguments.first() {
        Some(JValue::String(text)) => JValue::from_json_str(text)
            .map_err(|reason| error(format!("D3200: the argument of $parse is not JSON: {reason}"))),
        Some(JValue::Undefined) | None => Ok(JValue::Undefined),
        Some(_) => Err(error(
            "T0410: Argument 1 of function \"parse\" does not match function signature",
        )),
    }
}

fn random(arguments: &[JValue], dice: &Dice) -> JValue {
    JValue::from_f64(match arguments.first().and_then(JValue::as_f64) {
        Some(seed) => JavaRandom::new(seed as i64).next_double(),
        None => (dice.next() >> 11) as f64 / (1_u64 << 53) as f64,
    })
}

fn shuffle(arguments: &[JValue], dice: &Dice) -> JValue {
    match arguments.first() {
        Some(JValue::Array(items)) => {
            let mut items = items.to_vec();
            for last in (1..items.len()).rev() {
                items.swap(last, (dice.next() % (last as u64 + 1)) as usize);
            }
            JValue::array(items)
        }
        Some(other) => other.clone(),
        None => JValue::Undefined,
    }
}

/// `$now(picture, timezone)` at a given time, written by the evaluator's own formatter.
fn now_as(arguments: &[JValue], now: i64) -> Answer {
    thread_local! {
        static WRITTEN: Result<Rc<AstNode>, String> = compiled::parse("$fromMillis($now, $picture, $timezone)");
    }
    let mut context = Context::new();
    context.bind("now".to_owned(), JValue::from_f64(now as f64));
    for (name, argument) in ["picture", "timezone"].iter().zip(arguments) {
        context.bind((*name).to_owned(), argument.clone());
    }
    let tree = WRITTEN.with(Clone::clone).map_err(error)?;
    Evaluator::with_context(context).evaluate(&tree, &JValue::Undefined)
}
