use super::super::manifest::manifest;
use super::*;

const POLICY: &str = r#"
[limits]
memory = "256MiB"

[[allow]]
modules = ["etl-*", "report"]
limits = { memory = "1GiB", time = "5m" }
env = ["PATH", "SANDSTEP_TEST_*"]
dirs = [{ path = "/srv/data" }, { path = "/srv/out", write = true }]
http = ["GET https://api.example.com/*"]
secrets = ["stripe*", { name = "mail", for = "https://mail.example.com" }]

[secrets]
stripe = "hush"
crm = "quiet"
mail = "psst"
"#;

fn policy(text: &str) -> Result<Policy, Mistake> {
    Policy::read(text, |written| match written {
        Elsewhere::Secret(Written::Text(text)) => Ok(text.clone()),
        Elsewhere::Certificates(path) => Ok(format!("no PEM in {}", path.display())),
        other => Err(format!("{other:?} isn't here")),
    })
}

fn asked(module: &str, text: &str) -> Result<(), NotAllowed> {
    let manifest = manifest(text).expect("a manifest");
    policy(POLICY).expect("a policy").check(module, &manifest)
}

#[test]
fn what_is_within_the_policy_is_granted() {
    for text in [
        "[grants]\nenv = [\"PATH\", { ANY = \"thing\" }]",
        "[grants]\ndirs = [{ path = \"/srv/data/2024\" }, { path = \"/srv/out\", write = true }]",
        "[grants]\nhttp = [\"GET https://api.example.com/v1/*\"]",
        "[grants]\nsecrets = [{ name = \"stripe\", env = \"KEY\" }]",
        "[grants]\nsecrets = [{ name = \"stripe\", header = \"x-key\", for = \"https://a.example\" }]",
        "[grants]\nsecrets = [{ name = \"mail\", header = \"x-key\", for = \"https://mail.example.com\" }]",
        "[limits]\nmemory = \"1GiB\"\ntime = \"5m\"",
    ] {
        assert_eq!(asked("etl-prices", text), Ok(()), "{text}");
    }
    assert_eq!(asked("other", "[grants]\nenv = [{ ANY = \"thing\" }]"), Ok(()));
}

#[test]
fn everything_else_is_refused_with_the_line_that_would_allow_it() {
    for (module, text, line) in [
        ("other", "[grants]\nenv = [\"PATH\"]", "env = [\"PATH\"]"),
        ("report", "[grants]\nenv = [\"HOME\"]", "env = [\"HOME\"]"),
        (
            "report",
            "[grants]\ndirs = [{ path = \"/srv\" }]",
            "dirs = [{ path = \"/srv\" }]",
        ),
        (
            "report",
            "[grants]\ndirs = [{ path = \"/srv/database\" }]",
            "dirs = [{ path = \"/srv/database\" }]",
        ),
        (
            "report",
            "[grants]\ndirs = [{ path = \"/srv/data\", write = true }]",
            "dirs = [{ path = \"/srv/data\", write = true }]",
        ),
        (
            "report",
            "[grants]\nhttp = [\"POST https://api.example.com/v1\"]",
            "http = [\"POST https://api.example.com/v1\"]",
        ),
        (
            "report",
            "[grants]\nsecrets = [{ name = \"crm\", env = \"KEY\" }]",
            "secrets = [\"crm\"]",
        ),
        (
            "report",
            "[grants]\nsecrets = [{ name = \"mail\", env = \"KEY\" }]",
            "secrets = [\"mail\"]",
        ),
        (
            "report",
            "[grants]\nsecrets = [{ name = \"mail\", header = \"x-key\", for = \"https://a.example\" }]",
            "secrets = [{ name = \"mail\", for = \"https://a.example\" }]",
        ),
        (
            "other",
            "[limits]\nmemory = \"512MiB\"",
            "limits = { memory = \"512MiB\" }",
        ),
        ("report", "[limits]\ntime = \"1h\"", "limits = { time = \"1h\" }"),
    ] {
        let refused = asked(module, text).expect_err(text);
        assert_eq!(refused.line, line, "{text}");
        assert!(refused.hint().contains(&format!("modules = [\"{module}\"]")));
    }
    let unknown = asked("report", "[grants]\nsecrets = [{ name = \"stripe2\", env = \"KEY\" }]");
    assert!(unknown.expect_err("not there").to_string().contains("doesn't know"));
    let manifest = manifest("[grants]\nenv = [\"PATH\"]").expect("a manifest");
    assert!(Policy::default().check("report", &manifest).is_err());
}

#[test]
fn a_line_that_is_advised_is_a_line_that_works() {
    let asked = manifest(
        "[limits]\nmemory = \"512MiB\"\ntime = \"1h\"\n[grants]\nenv = [\"PATH\"]\n\
         dirs = [{ path = \"/srv/x\", write = true }]\nhttp = [\"POST https://a.example/b\"]",
    )
    .expect("a manifest");
    let mut text = "[limits]\nmemory = 1\ntime = \"1ms\"\n".to_owned();
    for _ in 0..5 {
        let Err(refused) = policy(&text).expect("a policy").check("report", &asked) else {
            return assert_eq!(policy(&text).expect("a policy").check("report", &asked), Ok(()));
        };
        text.push_str(&format!("[[allow]]\nmodules = [\"report\"]\n{}\n", refused.line));
    }
    assert_eq!(
        policy(&text).expect("a policy").check("report", &asked),
        Ok(()),
        "{text}"
    );
}

#[test]
fn values_are_filled_in_and_not_shown() {
    let asked = manifest("[grants]\nenv = [\"SANDSTEP_TEST_UNSET\"]\nsecrets = [{ name = \"stripe\", env = \"KEY\" }]")
        .expect("a manifest");
    let policy = policy(POLICY).expect("a policy");
    let granted = policy.granted("report", &asked).expect("allowed").expect("something");
    assert_eq!(granted.unset, ["SANDSTEP_TEST_UNSET"]);
    assert_eq!(granted.env, [("KEY".to_owned(), Sensitive::new("hush"))]);
    let header = "[grants]\nsecrets = [{ name = \"mail\", header = \"Authorization\", prefix = \"Bearer \", \
                  for = \"https://mail.example.com\" }]";
    let asked = manifest(header).expect("a manifest");
    let granted_header = policy.granted("report", &asked).expect("allowed").expect("something");
    let [header] = &granted_header.headers[..] else {
        panic!("one header: {granted_header:?}")
    };
    assert_eq!(
        (
            header.name.as_str(),
            header.origin.as_str(),
            header.prefix.as_str(),
            header.value.reveal()
        ),
        ("authorization", "https://mail.example.com", "Bearer ", "psst")
    );
    assert_eq!(granted_header.env, [], "the guest has nothing of it");
    assert!(!format!("{granted_header:?}").contains("psst"));
    assert!(!format!("{policy:?} {granted:?}").contains("hush"));
}

#[test]
fn mistakes_in_a_policy_point_at_their_place() {
    for (text, line, word) in [
        ("[[allow]]\nmodules = []", 1, "nobody"),
        ("\n[[allow]]\nmodules = [\"a\"]\ndir = []", 4, "dir"),
        ("[[allow]]\nmodules = [\"a\"]\ndirs = [{ path = \"x\" }]", 1, "absolute"),
        ("[secrets]\na = { env = \"NOWHERE\" }", 1, "NOWHERE"),
        (
            "[[allow]]\nmodules = [\"a\"]\nsecrets = [{ name = \"k\", for = \"http://a.example\" }]",
            1,
            "https",
        ),
        ("certificates = \"ca.pem\"", 1, "there is none"),
        ("[secrets]\na = \"\"", 1, "empty"),
        ("[limits]\nfuel = \"much\"", 2, "much"),
    ] {
        let mistake = policy(text).expect_err(text);
        assert!(
            mistake.message.contains(word) && mistake.line == line,
            "{text}: {mistake}"
        );
    }
}
