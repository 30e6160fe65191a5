//! Values of types nobody thought of: JSON goes into a guest that answers what it was given, and comes back the same.

mod world;

use asl::Payload;
use engine::ports::Outcome;
use world::{World, echo_of};

/// Types tried; each is a component to compile.
const TYPES: u64 = 60;

/// Values of each.
const VALUES: usize = 20;

/// How deep types nest.
const DEPTH: u32 = 4;

/// Numbers that only look random, the same on every machine.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        // xorshift64*
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, sides: u64) -> u64 {
        (self.roll() >> 33) % sides
    }
}

/// A type, as far as its values need to be known.
enum Shape {
    Bool,
    Integer(i128, i128),
    F32,
    F64,
    Char,
    Text,
    Bytes,
    List(Box<Shape>),
    Fixed(Box<Shape>, u64),
    Map(Box<Shape>),
    Record(Vec<Shape>),
    Tuple(Vec<Shape>),
    Variant(Vec<Option<Shape>>),
    Enum(u64),
    Flags(u64),
    Option(Box<Shape>),
    Result(Option<Box<Shape>>, Option<Box<Shape>>),
}

/// Definitions of types, in the component model's text form.
#[derive(Default)]
struct Definitions {
    text: String,
    count: u32,
}

impl Definitions {
    /// Defines a type; those with names of their own are exported, as interfaces must.
    fn add(&mut self, definition: &str, exported: bool) -> String {
        self.count += 1;
        let name = format!("t{}", self.count);
        if exported {
            let line = format!("(type ${name}-own {definition}) (export ${name} \"{name}\" (type ${name}-own))\n");
            self.text.push_str(&line);
        } else {
            self.text.push_str(&format!("(type ${name} {definition})\n"));
        }
        format!("${name}")
    }
}

const INTEGERS: [(&str, i128, i128); 8] = [
    ("s8", i8::MIN as i128, i8::MAX as i128),
    ("u8", 0, u8::MAX as i128),
    ("s16", i16::MIN as i128, i16::MAX as i128),
    ("u16", 0, u16::MAX as i128),
    ("s32", i32::MIN as i128, i32::MAX as i128),
    ("u32", 0, u32::MAX as i128),
    ("s64", i64::MIN as i128, i64::MAX as i128),
    ("u64", 0, u64::MAX as i128),
];

/// A type of at most `depth` levels, and how it is referred to.
fn shape(dice: &mut Dice, depth: u32, definitions: &mut Definitions) -> (Shape, String) {
    let plain = |shape, name: &str| (shape, name.to_owned());
    let several = |dice: &mut Dice, definitions: &mut Definitions| -> Vec<(Shape, String)> {
        let count = 1 + dice.below(4);
        (0..count).map(|_| shape(dice, depth - 1, definitions)).collect()
    };
    match dice.below(if depth == 0 { 9 } else { 18 }) {
        0 => plain(Shape::Bool, "bool"),
        1..=3 => {
            let (name, least, most) = INTEGERS[dice.below(8) as usize];
            plain(Shape::Integer(least, most), name)
        }
        4 => plain(Shape::F32, "f32"),
        5 => plain(Shape::F64, "f64"),
        6 => plain(Shape::Char, "char"),
        7 => plain(Shape::Text, "string"),
        8 => (Shape::Bytes, definitions.add("(list u8)", false)),
        9 => match shape(dice, depth - 1, definitions) {
            (Shape::Integer(0, 255), _) => (Shape::Bytes, definitions.add("(list u8)", false)),
            (inner, name) => (
                Shape::List(Box::new(inner)),
                definitions.add(&format!("(list {name})"), false),
            ),
        },
        10 => match shape(dice, depth - 1, definitions) {
            (Shape::Integer(0, 255), _) => plain(Shape::Bool, "bool"),
            (inner, name) => (
                Shape::Fixed(Box::new(inner), 3),
                definitions.add(&format!("(list {name} 3)"), false),
            ),
        },
        11 => {
            let (inner, name) = shape(dice, depth - 1, definitions);
            (
                Shape::Map(Box::new(inner)),
                definitions.add(&format!("(map string {name})"), false),
            )
        }
        12 => {
            let (inner, name) = shape(dice, depth - 1, definitions);
            (
                Shape::Option(Box::new(inner)),
                definitions.add(&format!("(option {name})"), false),
            )
        }
        13 => {
            let (shapes, names): (Vec<_>, Vec<_>) = several(dice, definitions).into_iter().unzip();
            (
                Shape::Tuple(shapes),
                definitions.add(&format!("(tuple {})", names.join(" ")), false),
            )
        }
        14 => {
            let (shapes, names): (Vec<_>, Vec<_>) = several(dice, definitions).into_iter().unzip();
            let fields = names.iter().enumerate();
            let fields: String = fields.map(|(at, name)| format!("(field \"f{at}\" {name})")).collect();
            (
                Shape::Record(shapes),
                definitions.add(&format!("(record {fields})"), true),
            )
        }
        15 => {
            let mut text = String::new();
            let mut cases = Vec::new();
            for (at, (inner, name)) in several(dice, definitions).into_iter().enumerate() {
                let held = dice.below(3) > 0;
                text.push_str(&match held {
                    true => format!("(case \"c{at}\" {name})"),
                    false => format!("(case \"c{at}\")"),
                });
                cases.push(held.then_some(inner));
            }
            (
                Shape::Variant(cases),
                definitions.add(&format!("(variant {text})"), true),
            )
        }
        16 => {
            let count = 1 + dice.below(40);
            let names: String = (0..count).map(|at| format!(" \"n{at}\"")).collect();
            match dice.below(2) {
                0 => (Shape::Enum(count), definitions.add(&format!("(enum{names})"), true)),
                _ => {
                    let count = count.min(32);
                    let names: String = (0..count).map(|at| format!(" \"n{at}\"")).collect();
                    (Shape::Flags(count), definitions.add(&format!("(flags{names})"), true))
                }
            }
        }
        _ => {
            let mut side = |definitions: &mut Definitions| {
                let (inner, name) = shape(dice, depth - 1, definitions);
                (dice.below(3) > 0).then(|| (Box::new(inner), name))
            };
            let (ok, err) = (side(definitions), side(definitions));
            let okay = ok.as_ref().map_or(String::new(), |(_, name)| name.clone());
            let error = err
                .as_ref()
                .map_or(String::new(), |(_, name)| format!("(error {name})"));
            let name = definitions.add(&format!("(result {okay} {error})"), false);
            (Shape::Result(ok.map(|ok| ok.0), err.map(|err| err.0)), name)
        }
    }
}

fn text(dice: &mut Dice) -> String {
    let length = dice.below(6);
    (0..length).map(|_| char(dice)).collect()
}

fn char(dice: &mut Dice) -> char {
    let most = [0x7f, 0x7ff, 0xffff, 0x10_ffff][dice.below(4) as usize];
    char::from_u32(dice.below(most + 1) as u32).unwrap_or('\u{fffd}')
}

fn json(value: impl serde::Serialize) -> String {
    serde_json::to_string(&value).expect("JSON")
}

fn listed(values: impl Iterator<Item = String>) -> String {
    format!("[{}]", values.collect::<Vec<_>>().join(","))
}

fn object(fields: impl Iterator<Item = (String, String)>) -> String {
    let fields = fields.map(|(name, value)| format!("{}:{value}", json(name)));
    format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
}

/// A value's text in the form the host writes.
fn value(shape: &Shape, dice: &mut Dice) -> String {
    match shape {
        Shape::Bool => json(dice.below(2) == 0),
        Shape::Integer(least, most) => {
            let edges = [*least, *most, 0, 1];
            let number = match dice.below(8) {
                edge @ 0..4 => edges[edge as usize],
                _ => least + i128::from(dice.roll()).rem_euclid(most - least + 1),
            };
            number.to_string()
        }
        Shape::F32 => match f32::from_bits(dice.roll() as u32) {
            number if number.is_finite() => json(number),
            _ => json("NaN"),
        },
        Shape::F64 => match f64::from_bits(dice.roll()) {
            number if number.is_finite() => json(number),
            _ => json("-Infinity"),
        },
        Shape::Char => json(char(dice)),
        Shape::Text => json(text(dice)),
        Shape::Bytes => json(["", "AA==", "AAE=", "////", "+/+/"][dice.below(5) as usize]),
        Shape::List(inner) => listed((0..dice.below(4)).map(|_| value(inner, dice))),
        Shape::Fixed(inner, count) => listed((0..*count).map(|_| value(inner, dice))),
        Shape::Map(inner) => object((0..dice.below(4)).map(|at| (format!("{}{at}", text(dice)), value(inner, dice)))),
        Shape::Record(fields) => {
            let fields = fields.iter().enumerate();
            object(fields.map(|(at, field)| (format!("f{at}"), value(field, dice))))
        }
        Shape::Tuple(shapes) => listed(shapes.iter().map(|shape| value(shape, dice))),
        Shape::Variant(cases) => {
            let case = dice.below(cases.len() as u64) as usize;
            let name = format!("c{case}");
            match &cases[case] {
                Some(held) => object([(name, value(held, dice))].into_iter()),
                None => json(name),
            }
        }
        Shape::Enum(count) => json(format!("n{}", dice.below(*count))),
        Shape::Flags(count) => {
            let names = (0..*count).filter(|_| dice.below(2) == 0);
            listed(names.map(|at| json(format!("n{at}"))))
        }
        Shape::Option(inner) => match (dice.below(3), &**inner) {
            (0, _) => "null".to_owned(),
            (_, Shape::Option(_)) => object([("some".to_owned(), value(inner, dice))].into_iter()),
            (_, inner) => value(inner, dice),
        },
        Shape::Result(ok, err) => {
            let (name, held) = match dice.below(2) {
                0 => ("ok", ok),
                _ => ("err", err),
            };
            let held = held.as_ref().map_or("null".to_owned(), |held| value(held, dice));
            object([(name.to_owned(), held)].into_iter())
        }
    }
}

#[test]
fn any_value_of_any_type_comes_back_as_it_went() {
    let world = World::new();
    for seed in 1..=TYPES {
        let dice = &mut Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let mut definitions = Definitions::default();
        let (shape, name) = shape(dice, DEPTH, &mut definitions);
        if matches!(shape, Shape::Integer(0, 255)) {
            // A list of them is bytes.
            continue;
        }
        let module = world.component(&echo_of(&definitions.text, &name));
        let values = listed((0..VALUES).map(|_| value(&shape, dice)));
        let outcome = world.call(&module, None, &values);
        let echoed = Outcome::Succeeded(Payload::from_text(values).expect("JSON"));
        assert_eq!(outcome, echoed, "seed {seed}: {}", definitions.text);
    }
}
