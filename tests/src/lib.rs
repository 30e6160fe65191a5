//! Nothing: this package is its tests, which run the real binary. See `e2e/main.rs`.
