//! Who answers for a version of a module.

use serde::{Deserialize, Serialize};

use crate::ids::Digest;

/// A signature that came with an upload, and what it was made of beside the module's name. Whether it is any good is for
/// the operator's policy to say, at the upload and whenever the version runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    /// SHA-256 of what was uploaded.
    pub upload: Digest,
    /// SHA-256 of the manifest's text; of nothing where there is none.
    pub manifest: Digest,
    /// Ed25519, in base64.
    pub value: String,
}
