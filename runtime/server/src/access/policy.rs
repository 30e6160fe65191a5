//! Who may do what, and with whose things.

use std::fmt;
use std::str::FromStr;

/// What a request does, for deciding who may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Looks, changes nothing.
    Read,
    /// Starts executions.
    Start,
    /// Does the tasks of running executions: polls activities, reports outcomes.
    Work,
    /// Steers running executions and feeds them: stops them, redrives them, changes their Map Runs, writes objects.
    Operate,
    /// Changes what there is: state machines, activities, modules, what is kept.
    Administer,
}

/// What a key is for. A key may have several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Looks at everything.
    ReadOnly,
    /// Starts executions and sees nothing of them.
    StartOnly,
    /// Polls activities and reports outcomes.
    Worker,
    /// Everything but changing what there is.
    Operator,
    /// Everything.
    Admin,
}

impl Role {
    /// Every role, the least powerful first.
    pub const ALL: [Self; 5] = [
        Self::ReadOnly,
        Self::StartOnly,
        Self::Worker,
        Self::Operator,
        Self::Admin,
    ];

    /// As credentials files write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ReadOnly => "read-only",
            Self::StartOnly => "start-only",
            Self::Worker => "worker",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }

    fn allows(self, action: Action) -> bool {
        match self {
            Self::ReadOnly => action == Action::Read,
            Self::StartOnly => action == Action::Start,
            Self::Worker => action == Action::Work,
            Self::Operator => action != Action::Administer,
            Self::Admin => true,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or_else(|| {
            let known: Vec<&str> = Self::ALL.map(Self::as_str).to_vec();
            format!("`{text}` is no role; the roles are {}", known.join(", "))
        })
    }
}

/// Names with `*` for any text and `?` for any character, neither of which a name can have itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamePattern(String);

impl NamePattern {
    /// From its text.
    pub fn new(pattern: impl Into<String>) -> Self {
        Self(pattern.into())
    }

    /// Whether it stands for this name. Takes time in proportion to both lengths multiplied, at most.
    pub fn fits(&self, name: &str) -> bool {
        let pattern: Vec<char> = self.0.chars().collect();
        let name: Vec<char> = name.chars().collect();
        let (mut at, mut from) = (0, 0);
        // The last star, and where in the name what follows it was tried last.
        let mut star = None;
        while from < name.len() {
            match pattern.get(at) {
                Some('*') => {
                    star = Some((at, from));
                    at += 1;
                }
                Some('?') => (at, from) = (at + 1, from + 1),
                Some(letter) if *letter == name[from] => (at, from) = (at + 1, from + 1),
                _ => match star {
                    Some((place, tried)) => {
                        star = Some((place, tried + 1));
                        (at, from) = (place + 1, tried + 1);
                    }
                    None => return false,
                },
            }
        }
        pattern[at..].iter().all(|letter| *letter == '*')
    }
}

/// What a key may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    roles: Vec<Role>,
    names: Option<Vec<NamePattern>>,
}

impl Policy {
    /// For these roles. With `names`, only with state machines, activities, modules and buckets of such names, and with what
    /// belongs to them.
    pub fn new(roles: Vec<Role>, names: Option<Vec<NamePattern>>) -> Self {
        Self { roles, names }
    }

    /// Whether any role allows it.
    pub fn allows(&self, action: Action) -> bool {
        self.roles.iter().any(|role| role.allows(action))
    }

    /// Whether it is limited to some names.
    pub fn is_limited(&self) -> bool {
        self.names.is_some()
    }

    /// Whether something of this name is within its limits.
    pub fn covers(&self, name: &str) -> bool {
        match &self.names {
            Some(patterns) => patterns.iter().any(|pattern| pattern.fits(name)),
            None => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_allow_what_their_names_say() {
        const ACTIONS: [Action; 5] = [
            Action::Read,
            Action::Start,
            Action::Work,
            Action::Operate,
            Action::Administer,
        ];
        let allowed = |role: Role| ACTIONS.map(|action| Policy::new(vec![role], None).allows(action));
        assert_eq!(allowed(Role::ReadOnly), [true, false, false, false, false]);
        assert_eq!(allowed(Role::StartOnly), [false, true, false, false, false]);
        assert_eq!(allowed(Role::Worker), [false, false, true, false, false]);
        assert_eq!(allowed(Role::Operator), [true, true, true, true, false]);
        assert_eq!(allowed(Role::Admin), [true; 5]);
        let both = Policy::new(vec![Role::ReadOnly, Role::StartOnly], None);
        assert!(both.allows(Action::Read) && both.allows(Action::Start) && !both.allows(Action::Operate));
        assert!(!Policy::new(Vec::new(), None).allows(Action::Read));
        for role in Role::ALL {
            assert_eq!(role.as_str().parse(), Ok(role));
        }
        assert!("root".parse::<Role>().expect_err("no role").contains("start-only"));
    }

    #[test]
    fn patterns_fit_whole_names() {
        let fits = |pattern: &str, name: &str| NamePattern::new(pattern).fits(name);
        for (pattern, name) in [
            ("*", ""),
            ("*", "orders"),
            ("orders", "orders"),
            ("orders-*", "orders-eu"),
            ("orders-*", "orders-"),
            ("*-eu", "orders-eu-eu"),
            ("o?ders", "orders"),
            ("a*b*c", "a-b-b-c"),
            ("", ""),
        ] {
            assert!(fits(pattern, name), "`{pattern}` and `{name}`");
        }
        for (pattern, name) in [
            ("orders", "orders-eu"),
            ("orders", "my-orders"),
            ("orders-*", "orders"),
            ("o?ders", "oders"),
            ("a*b*c", "a-c-b"),
            ("", "orders"),
            ("Orders", "orders"),
        ] {
            assert!(!fits(pattern, name), "`{pattern}` and `{name}`");
        }
        assert!(!fits(&"*a".repeat(200), &"a".repeat(199)), "and soon");
    }

    #[test]
    fn no_patterns_at_all_are_no_limit_and_an_empty_list_covers_nothing() {
        assert!(Policy::new(vec![Role::Admin], None).covers("orders"));
        assert!(!Policy::new(vec![Role::Admin], Some(Vec::new())).covers("orders"));
    }
}
