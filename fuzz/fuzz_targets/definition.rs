#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| sandstep_fuzz::definition(text));
