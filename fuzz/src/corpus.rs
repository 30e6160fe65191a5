//! The corpus with a stable compiler: each of its files, and each of them cut, doubled and crossed with another a few
//! times. Included by the tests of the crates whose parsers are fuzzed.

use std::fs;
use std::path::Path;

/// Variations of each text: a second of work in all.
const VARIATIONS: u64 = 20;

fn corpus(target: &str) -> Vec<String> {
    // Every crate of the runtime is as deep in the repository.
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fuzz/corpus")
        .join(target);
    let mut files: Vec<_> = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.expect("readable").path())
        .collect();
    files.sort();
    assert!(files.len() > 10, "{} files for {target}", files.len());
    let read = |file| String::from_utf8_lossy(&fs::read(file).expect("readable")).into_owned();
    files.into_iter().map(read).collect()
}

/// Runs `target` over its corpus and over variations that are the same on every run.
pub fn run(name: &str, target: fn(&str)) {
    let texts = corpus(name);
    let mut state = 7_u64;
    let mut random = |below: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below.max(1)
    };
    for text in &texts {
        target(text);
        let other = &texts[random(texts.len())];
        for _ in 0..VARIATIONS {
            let (from, to) = (boundary(text, random(text.len())), boundary(text, random(text.len())));
            let (from, to) = (from.min(to), from.max(to));
            let at = boundary(other, random(other.len()));
            target(&match random(4) {
                0 => format!("{}{}", &text[..from], &text[to..]),
                1 => format!("{}{}", &text[..to], &text[from..]),
                2 => format!("{}{}", &text[..from], &other[at..]),
                _ => format!(
                    "{}{}{}",
                    &text[..from],
                    ["\u{1F600}", "'", "[", "(", "\\", "$", "\0", "9"][random(8)],
                    &text[from..]
                ),
            });
        }
    }
}

fn boundary(text: &str, at: usize) -> usize {
    (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}
