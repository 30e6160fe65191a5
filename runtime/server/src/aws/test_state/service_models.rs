//! What AWS's services answer: the shapes of all their operations, from the table that
//! `tools/service-models/generate.py` makes of botocore's models and describes.

use std::fmt;

use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};

static TABLE: &[u8] = include_bytes!("service_models.bin");

/// One service's answers.
pub struct Service {
    text: String,
    /// Where each line of `text` ends.
    ends: Vec<usize>,
}

/// The shape of a value.
#[derive(Clone, Copy)]
pub struct Shape<'s> {
    service: &'s Service,
    text: &'s str,
}

/// What a shape says of a value.
#[derive(Debug)]
pub enum Kind<'s> {
    /// An object with these fields; others are allowed.
    Structure(Vec<Field<'s>>),
    /// An array of these.
    List(Shape<'s>),
    /// An object whose values are these.
    Map(Shape<'s>),
    /// A text, one of these unless there are none.
    Text(Vec<&'s str>),
    /// A number.
    Number,
    /// True or false.
    Boolean,
    /// A point in time.
    Time,
    /// Bytes.
    Bytes,
    /// Any JSON.
    Any,
}

/// A field of a structure.
#[derive(Debug)]
pub struct Field<'s> {
    /// As the service's model writes it.
    pub name: &'s str,
    /// Whether every answer has it.
    pub required: bool,
    /// What it holds.
    pub shape: Shape<'s>,
}

/// Bounds on a number's value, or on the length of a text or an array.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Bounds {
    /// The least.
    pub least: Option<f64>,
    /// The most.
    pub most: Option<f64>,
}

impl Service {
    /// The service that SDK integrations call `key`: its id in lower case, letters and digits only.
    pub fn named(key: &str) -> Option<Self> {
        let (index, dictionary, chunks) = parts()?;
        let line = index
            .lines()
            .find(|line| line.split(' ').next().is_some_and(|found| found == key))?;
        let mut numbers = line.split(' ').skip(1).map(str::parse::<usize>);
        let mut number = || numbers.next()?.ok();
        let (start, length, inflated) = (number()?, number()?, number()?);
        let chunk = chunks.get(start..start.checked_add(length)?)?;
        let text = String::from_utf8(inflate(chunk, dictionary, inflated)?).ok()?;
        let ends = text
            .match_indices('\n')
            .map(|(end, _)| end)
            .chain([text.len()])
            .collect();
        Some(Self { text, ends })
    }

    /// What `operation` answers; the name's case doesn't count.
    pub fn answer(&self, operation: &str) -> Option<Shape<'_>> {
        let mut operations = self.text.lines().rev().map_while(|line| line.strip_prefix('='));
        let text = operations.find_map(|line| {
            let (name, shape) = line.split_once(':')?;
            name.eq_ignore_ascii_case(operation).then_some(shape)
        })?;
        Some(Shape { service: self, text })
    }

    /// Whether the service has an operation of this name; its case doesn't count.
    pub fn has(&self, operation: &str) -> bool {
        let mut operations = self.text.lines().rev().map_while(|line| line.strip_prefix('='));
        operations.any(|line| {
            line.split(':')
                .next()
                .is_some_and(|name| name.eq_ignore_ascii_case(operation))
        })
    }

    fn line(&self, number: usize) -> Option<&str> {
        let end = *self.ends.get(number)?;
        let start = match number.checked_sub(1) {
            Some(before) => self.ends.get(before)? + 1,
            None => 0,
        };
        self.text.get(start..end)
    }
}

impl<'s> Shape<'s> {
    /// Its line, where it is given by number.
    fn resolved(self) -> &'s str {
        let number = self.text.parse().ok();
        number.and_then(|number| self.service.line(number)).unwrap_or(self.text)
    }

    fn split(self) -> (&'s str, Bounds) {
        let text = self.resolved();
        let whole = (text, Bounds::default());
        // no bounds on structures, and theirs are their fields'
        if text.starts_with('{') {
            return whole;
        }
        let Some((text, bounds)) = text.strip_suffix(')').and_then(|text| text.rsplit_once('(')) else {
            return whole;
        };
        let Some((least, most)) = bounds.split_once(';') else {
            return whole;
        };
        let (least, most) = (least.parse().ok(), most.parse().ok());
        (text, Bounds { least, most })
    }

    /// What a value must be.
    pub fn kind(self) -> Kind<'s> {
        let (text, _) = self.split();
        let of = |text| Shape { text, ..self };
        let mut rest = text.chars();
        match rest.next() {
            Some('{') => Kind::Structure(rest.as_str().split(',').filter_map(|field| self.field(field)).collect()),
            Some('[') => Kind::List(of(rest.as_str())),
            Some('<') => Kind::Map(of(rest.as_str())),
            Some('$') => Kind::Text(rest.as_str().split('|').filter(|value| !value.is_empty()).collect()),
            Some('#') => Kind::Number,
            Some('?') => Kind::Boolean,
            Some('~') => Kind::Time,
            Some('!') => Kind::Bytes,
            _ => Kind::Any,
        }
    }

    /// Between what its value or length must lie.
    pub fn bounds(self) -> Bounds {
        self.split().1
    }

    /// The shape of a field of a structure, or of an element of a list where `name` is `[]`.
    pub fn inner(self, name: &str) -> Option<Shape<'s>> {
        match self.kind() {
            Kind::List(element) if name == "[]" => Some(element),
            Kind::Structure(fields) => fields
                .into_iter()
                .find(|field| field.name == name)
                .map(|field| field.shape),
            _ => None,
        }
    }

    fn field(self, text: &'s str) -> Option<Field<'s>> {
        let (name, shape) = text.split_once(':')?;
        let required = name.ends_with('*');
        Some(Field {
            name: name.trim_end_matches('*'),
            required,
            shape: Shape { text: shape, ..self },
        })
    }
}

impl fmt::Debug for Shape<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text)
    }
}

/// The index, the dictionary, the chunks.
fn parts() -> Option<(&'static str, &'static [u8], &'static [u8])> {
    let (head, rest) = TABLE.split_at_checked(8)?;
    let length = |bytes: &[u8]| Some(u32::from_le_bytes(bytes.try_into().ok()?) as usize);
    let (index, rest) = rest.split_at_checked(length(&head[..4])?)?;
    let (dictionary, chunks) = rest.split_at_checked(length(&head[4..])?)?;
    Some((std::str::from_utf8(index).ok()?, dictionary, chunks))
}

/// The dictionary stands before the output, where references into it find it.
fn inflate(chunk: &[u8], dictionary: &[u8], length: usize) -> Option<Vec<u8>> {
    let mut output = dictionary.to_vec();
    output.resize(dictionary.len().checked_add(length)?, 0);
    let flags = TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
    let mut state = DecompressorOxide::new();
    let (status, _, written) = decompress(&mut state, chunk, &mut output, dictionary.len(), flags);
    (status == TINFLStatus::Done && written == length).then(|| output.split_off(dictionary.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_service_of_the_table_can_be_read() {
        let (index, _, _) = parts().expect("a table");
        let mut operations = 0;
        for line in index.lines() {
            let key = line.split(' ').next().expect("a key");
            let service = Service::named(key).unwrap_or_else(|| panic!("{key} can't be read"));
            for line in service.text.lines() {
                let shape = Shape {
                    service: &service,
                    text: line,
                };
                if let Some((_, answer)) = line.strip_prefix('=').and_then(|line| line.split_once(':')) {
                    operations += 1;
                    let answer = Shape { text: answer, ..shape }.kind();
                    assert!(matches!(answer, Kind::Structure(_) | Kind::Any), "{key}: {line}");
                } else {
                    assert!(!matches!(shape.kind(), Kind::Any), "{key}: {line}");
                }
            }
        }
        assert!(operations > 10_000, "{operations} operations");
    }

    #[test]
    fn shapes_say_what_the_model_says() {
        let lambda = Service::named("lambda").expect("there");
        let configuration = lambda
            .answer("getFunction")
            .and_then(|answer| answer.inner("Configuration"))
            .expect("there");
        let memory = configuration.inner("MemorySize").expect("there");
        assert!(matches!(memory.kind(), Kind::Number));
        assert_eq!(memory.bounds().least, Some(128.0));
        let Some(Kind::Text(states)) = configuration.inner("State").map(Shape::kind) else {
            panic!("an enumeration")
        };
        assert!(states.contains(&"Pending"), "{states:?}");
        let sfn = Service::named("sfn").expect("there");
        let Some(Kind::Structure(fields)) = sfn.answer("StartExecution").map(Shape::kind) else {
            panic!("a structure")
        };
        assert!(fields.iter().any(|field| field.name == "startDate" && field.required));
        assert!(Service::named("nosuchservice").is_none());
    }
}
