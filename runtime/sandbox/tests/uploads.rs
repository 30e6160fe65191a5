//! What becomes of uploads, the wrong ones above all.

mod world;

use engine::ports::TaskRunner;
use world::{World, guest};

#[test]
fn a_core_module_becomes_a_component() {
    let world = World::new();
    let prepared = world.sandbox.prepare(&guest("context")).expect("a task");
    let description = prepared.description;
    assert_eq!(description.entry, "sandstep:task");
    assert_eq!(description.uploaded_as, "core module");
    assert_eq!(description.exports, ["sandstep:task/handler@0.1.0"]);
    assert!(
        description.imports.contains(&"sandstep:task/host@0.1.0".to_owned()),
        "{:?}",
        description.imports
    );

    let again = world
        .sandbox
        .prepare(&prepared.component)
        .expect("the component itself");
    assert_eq!(again.description.uploaded_as, "component");
    assert_eq!(again.digest, prepared.digest);
    assert_eq!(again.component, prepared.component);
}

#[test]
fn a_component_holds_the_core_module_it_was_made_of() {
    let world = World::new();
    let mut module = guest("context");
    // A section of the author's own that is called alike stays where it is.
    module.extend(b"\0\x13\x11sandstep:uploadedX");
    let component = world.sandbox.prepare(&module).expect("a task").component;
    assert_eq!(world.sandbox.uploaded(&component), Some(module));
    // One that wasn't made here holds none, nor does one that is cut off.
    let text = r#"(component (core module (@custom "sandstep:uploaded" "\ff\ff\ff\ff")))"#;
    let foreign = wat::parse_str(text).expect("valid WAT");
    assert_eq!(world.sandbox.uploaded(&foreign), None);
    assert_eq!(world.sandbox.uploaded(&component[..component.len() - 1]), None);
}

#[test]
fn the_hosts_functions_are_told_apart() {
    let world = World::new();
    let of = |name: &str| {
        let imports = world.sandbox.prepare(&guest(name)).expect("a task").description.imports;
        let functions = imports
            .iter()
            .filter_map(|import| import.strip_prefix("sandstep:task/host@0.1.0#"));
        functions.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(of("heartbeat"), ["heartbeat"]);
    assert_eq!(of("context"), ["log", "context"]);
    assert!(of("echo").is_empty());
}

#[test]
fn a_preview_1_module_is_adapted() {
    let world = World::new();
    let imports = world
        .sandbox
        .prepare(&guest("sleep"))
        .expect("a task")
        .description
        .imports;
    assert!(
        imports.iter().any(|import| import.starts_with("wasi:io/poll@0.2.")),
        "{imports:?}"
    );
}

#[test]
fn unknown_imports_are_all_named() {
    let world = World::new();
    let error = world.refusal(&guest("unknown_import"));
    assert_eq!(error.code, "UnknownImport");
    assert!(error.message.contains("`env#emscripten_sleep`"), "{}", error.message);
    assert!(error.message.contains("`wasi_unstable#fd_write`"), "{}", error.message);

    let error = world.refusal(&guest("unknown_interface"));
    assert_eq!(error.code, "UnknownImport");
    assert!(
        error.message.contains("`wasi:keyvalue/store@0.2.0`"),
        "{}",
        error.message
    );
    assert!(error.message.contains("`shop:stock/ledger@1.0.0`"), "{}", error.message);
    assert!(
        !error.message.contains("shop:stock/types"),
        "types ask nothing of the host: {}",
        error.message
    );
    assert!(error.hint.contains("`wasi:cli` world of WASI 0.2"), "{}", error.hint);
    for (import, advice) in [
        ("wasi:sockets/tcp@0.3.0", "tasks have no sockets"),
        ("wasi:http/handler@0.3.0", "`wasi:http/outgoing-handler`"),
    ] {
        let wanted = format!("(component (import \"{import}\" (instance (export \"open\" (func)))))");
        let error = world.refusal(&wat::parse_str(wanted).expect("WAT"));
        assert!(error.hint.contains(advice), "{}", error.hint);
    }
}

#[test]
fn what_cannot_be_called_is_refused() {
    let world = World::new();
    let error = world.refusal(&guest("no_entry"));
    assert_eq!(error.code, "NoEntryPoint");
    assert!(error.message.contains("`plugin_main`"), "{}", error.message);

    let error = world.refusal(&guest("wrong_type"));
    assert_eq!(error.code, "NoEntryPoint");
    assert!(error.message.contains("func(input: string)"), "{}", error.message);
}

#[test]
fn what_is_too_large_is_refused() {
    let world = World::new();
    let mut upload = guest("echo");
    upload.resize(sandbox::UPLOAD_BYTES + 1, 0);
    let error = world.refusal(&upload);
    assert_eq!(error.code, "TooLarge");
    assert!(
        error.message.contains(&format!("`{}`", sandbox::UPLOAD_BYTES)),
        "{}",
        error.message
    );

    let memory = wat::parse_str(
        r#"(module (memory (export "memory") 1025) (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) unreachable)
           (func (export "sandstep:task/handler@0.1.0#handle") (param i32 i32) (result i32) unreachable))"#,
    )
    .expect("WAT");
    let error = world.refusal(&memory);
    assert_eq!(error.code, "TooLarge");
    assert!(
        error.message.contains("`67174400` bytes of initial memory"),
        "{}",
        error.message
    );
}

#[test]
fn what_is_no_wasm_is_refused() {
    let world = World::new();
    for upload in [
        &b""[..],
        b"\0asm",
        b"(module)",
        b"PK\x03\x04 an archive",
        b"\0asm\x02\0\0\0",
        &[0x5a; 5000],
    ] {
        assert_eq!(world.refusal(upload).code, "NotWasm");
    }
}

#[test]
fn no_truncation_and_no_damage_gets_further_than_a_refusal() {
    let world = World::new();
    let component = world.sandbox.prepare(&guest("echo")).expect("a task").component;
    let echoed = engine::ports::Outcome::Succeeded(world::input());
    for upload in [guest("echo"), component] {
        let mut refused = 0;
        for length in (8..upload.len()).step_by(7) {
            match world.sandbox.prepare(&upload[..length]) {
                // Cut between sections after its code, so that only names are lost.
                Ok(prepared) => assert_eq!(world.run(world::job(&prepared.digest)).outcome, echoed),
                Err(error) => {
                    refused += 1;
                    assert!(
                        ["InvalidModule", "NoEntryPoint"].contains(&error.code.as_str()),
                        "{error:?}"
                    );
                }
            }
        }
        assert!(
            refused * 8 > upload.len(),
            "most truncations are refused, only {refused} were"
        );
    }
    let mut seed = 7_u64;
    for _ in 0..500 {
        let mut upload = guest("context");
        for _ in 0..3 {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let at = 8 + (seed >> 33) as usize % (upload.len() - 8);
            upload[at] = (seed >> 20) as u8;
        }
        // Some damage makes another valid module; what matters is an answer.
        let _ = world.sandbox.prepare(&upload);
    }
    world.still_runs();
}

#[test]
fn stored_components_are_compiled_again_where_the_cache_is_lost_or_damaged() {
    let world = World::new();
    let prepared = world.sandbox.prepare(&guest("echo")).expect("a task");
    let directory = world.directory.path().to_owned();
    drop(world.sandbox);
    let code = std::fs::read_dir(&directory)
        .expect("cache")
        .next()
        .expect("an engine's directory")
        .expect("readable")
        .path();
    let files: Vec<_> = std::fs::read_dir(code)
        .expect("code")
        .map(|entry| entry.expect("readable").path())
        .collect();
    assert_eq!(files.len(), 2, "{files:?}");

    let compiled = files
        .iter()
        .find(|file| file.extension().is_some_and(|e| e == "cwasm"))
        .expect("code");
    let mut bytes = std::fs::read(compiled).expect("code");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(compiled, bytes).expect("writable");

    let world = World {
        sandbox: world::open(&directory),
        directory: world.directory,
    };
    world.fails_unloaded(&prepared.digest);
    world
        .sandbox
        .ensure(&prepared.digest, &|| Ok(prepared.component.clone()))
        .expect("compiled again");
    world
        .sandbox
        .ensure(&prepared.digest, &|| unreachable!("it is at hand"))
        .expect("at hand");
    world.still_runs();

    let error = world
        .sandbox
        .ensure(&engine::ids::Digest(format!("sha256:{:064x}", 9).into()), &|| {
            Ok(prepared.component.clone())
        })
        .expect_err("another component's bytes");
    assert_eq!(error.code, "InvalidModule");
}

impl World {
    fn fails_unloaded(&self, digest: &engine::ids::Digest) {
        let outcome = self.run(world::job(digest)).outcome;
        let engine::ports::Outcome::Failed(failure) = outcome else {
            panic!("damaged code ran: {outcome:?}")
        };
        assert_eq!(failure.error.as_deref(), Some("Sandbox.ModuleNotLoaded"));
    }
}
