//! What becomes of a definition when somebody slips.

use serde_json::{Map, Value};

use crate::tape::Tape;
use crate::values::value;

/// Puts something else where a part of the definition was, takes it away, or gives it another name.
pub fn slip(tape: &mut Tape, definition: &mut Value) {
    let mut place = definition;
    for _ in 0..2 + tape.below(7) {
        let inside = match &*place {
            Value::Object(map) => map.len(),
            Value::Array(items) => items.len(),
            _ => 0,
        };
        if inside == 0 {
            break;
        }
        let index = tape.below(inside as u64) as usize;
        place = match place {
            Value::Object(map) => map.values_mut().nth(index).expect("counted"),
            Value::Array(items) => &mut items[index],
            _ => unreachable!("nothing is inside"),
        };
    }
    match (tape.below(4), place) {
        (0, Value::Object(map)) => {
            take(tape, map);
        }
        (1, Value::Object(map)) => {
            if let Some(value) = take(tape, map) {
                let name = tape.pick(&[
                    "Comment",
                    "End",
                    "Retry",
                    "Catch",
                    "Output",
                    "Seconds",
                    "Items",
                    "ResultPath",
                ]);
                map.insert(name.into(), value);
            }
        }
        (2, Value::Array(items)) => {
            items.pop();
        }
        (_, place) => *place = value(tape, 2),
    }
}

fn take(tape: &mut Tape, map: &mut Map<String, Value>) -> Option<Value> {
    let index = tape.below(map.len().max(1) as u64) as usize;
    let name = map.keys().nth(index)?.clone();
    map.shift_remove(&name)
}
