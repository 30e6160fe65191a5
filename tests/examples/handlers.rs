//! Uploads stand-ins for the functions that recorded conformance cases call, and prints their ARNs as JSON:
//!
//!     cargo run -p end-to-end --example handlers -- http://127.0.0.1:8083 > lambdas.json

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, anyhow};

/// What the stand-ins' ARNs start with: the account and region a server has by default.
const FUNCTIONS: &str = "arn:aws:lambda:us-east-1:000000000000:function";

fn main() -> Result<()> {
    let endpoint = std::env::args().nth(1).context("usage: handlers ENDPOINT")?;
    let mut arns = BTreeMap::new();
    for entry in Path::new(env!("CARGO_MANIFEST_DIR")).join("handlers").read_dir()? {
        let path = entry?.path();
        let name = path
            .file_stem()
            .and_then(|stem| stem.to_str())
            .with_context(|| format!("`{}` has no name for a module", path.display()))?
            .to_owned();
        let module = wat::parse_file(&path)?;
        ureq::put(format!("{endpoint}/v1/modules/{name}"))
            .send(&module)
            .map_err(|error| anyhow!("uploading `{name}` to {endpoint}: {error}"))?;
        arns.insert(name.clone(), format!("{FUNCTIONS}:{name}"));
    }
    println!("{}", serde_json::to_string_pretty(&arns)?);
    Ok(())
}
