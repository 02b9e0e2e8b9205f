use super::*;

const MESSAGE: [(&str, &str); 6] =
    [("TAGS", "red"), ("weight", "11"), ("size", "3.5"), ("name", "it's"), ("vip", "True"), ("_odd$", "")];

/// True, false or unknown of [`MESSAGE`].
fn truth(text: &str) -> Option<bool> {
    let condition = Condition::parse(text).unwrap_or_else(|fault| panic!("{text}: {fault}"));
    let property = |name: &str| MESSAGE.iter().find(|(n, _)| *n == name).map(|(_, value)| *value);
    let truth = condition.0.truth(&property);
    assert_eq!(condition.holds(&property), truth == Some(true), "{text}");
    truth
}

fn fault(text: &str) -> String {
    Condition::parse(text).expect_err(text).to_string()
}

#[test]
fn comparisons() {
    for text in [
        "TAGS = 'red'",
        "TAGS <> 'green'",
        "name = 'it''s'",
        "weight = 11 AND weight = 11.0 AND weight = 1.1E1 AND weight = 11L",
        "weight > 10 AND weight >= 11 AND weight < 12 AND weight <= 11",
        "10 < weight",
        "weight > -1 and weight > +1 and weight > -.5",
        "size > 3.0 AND size = 3.5 and size < 4.",
        "weight > size",
        "weight BETWEEN 11 AND 12",
        "weight NOT BETWEEN 1 AND 10",
        "size between -1.5 and 3.5",
        "TAGS IN ('green', 'red')",
        "TAGS NOT IN ('green')",
        "weight IN ('11')",
        "vip = TRUE AND vip <> false",
        "(weight > 3) = TRUE",
        "TAGS CONTAINS 'e' AND TAGS STARTSWITH 're' AND TAGS EndsWith 'ed'",
        "TAGS NOT CONTAINS 'x' AND TAGS NOT STARTSWITH 'x' AND TAGS NOT ENDSWITH 'x'",
        "_odd$ IS NOT NULL",
        "TRUE",
        "NOT FALSE",
        "1 = 1 AND 'a' = 'a' AND 2 > 1.5",
        "TAGS = /* the colour */ 'red' -- and no other\n AND TRUE",
    ] {
        assert_eq!(truth(text), Some(true), "{text}");
    }
    for text in
        ["TAGS = 'RED'", "weight > 11", "weight = 'eleven'", "vip = 1 AND FALSE", "TRUE = 1", "name IS NULL"]
    {
        assert_eq!(truth(text), Some(false), "{text}");
    }
}

#[test]
fn an_absent_property_is_unknown() {
    for text in [
        "gone = 1",
        "gone <> 1",
        "NOT (gone = 1)",
        "gone IN ('a')",
        "gone NOT IN ('a')",
        "gone CONTAINS 'a'",
        "gone NOT CONTAINS 'a'",
        "gone BETWEEN 1 AND 2",
        "gone NOT BETWEEN 1 AND 2",
        "gone = gone",
        "gone = 1 AND TRUE",
        "gone = 1 OR FALSE",
    ] {
        assert_eq!(truth(text), None, "{text}");
    }
    assert_eq!(truth("gone = 1 OR TRUE"), Some(true));
    assert_eq!(truth("gone = 1 AND FALSE"), Some(false));
    assert_eq!(truth("gone IS NULL"), Some(true));
    assert_eq!(truth("gone IS NOT NULL"), Some(false));
    assert_eq!(truth("(gone = 1) IS NULL"), Some(true));
}

#[test]
fn a_text_that_is_no_number_is_unknown_to_a_number() {
    assert_eq!(truth("TAGS > 1"), None);
    assert_eq!(truth("TAGS = 1"), None);
    assert_eq!(truth("TAGS < weight"), None);
    // An integer asks for an integer, as on the real server.
    assert_eq!(truth("size > 3"), None);
}

#[test]
fn and_binds_tighter_than_or_and_not_tighter_than_both() {
    assert_eq!(truth("TRUE OR FALSE AND FALSE"), Some(true));
    assert_eq!(truth("(TRUE OR FALSE) AND FALSE"), Some(false));
    assert_eq!(truth("NOT TRUE OR TRUE"), Some(true));
    assert_eq!(truth("NOT NOT (TAGS = 'red')"), Some(true));
}

#[test]
fn faults_name_the_place() {
    for (text, expected) in [
        ("", "the expression is empty; subscribe by the tag * for all messages, at character 1"),
        ("a >", "expected a property, a value or \"(\", found the end, at character 4"),
        ("a = 1 b", "expected AND, OR or the end, found the property b, at character 7"),
        ("ä = 1", "'ä' means nothing here; names have letters, digits, _ and $, at character 1"),
        ("a = 'ä' & b = 1", "'&' means nothing here; conditions are joined by AND and OR, at character 9"),
        ("a = \"x\"", "'\"' means nothing here; texts stand in single quotes, at character 5"),
        ("a = 'x", "the text that begins here has no closing quote, at character 5"),
        ("a = 1 /* b", "the comment has no end, at character 7"),
        ("a IN (1)", "expected a text in single quotes, found 1, at character 7"),
        ("a IN ('x'", "expected \",\" or \")\", found the end, at character 10"),
        ("(a = 1", "expected \")\", found the end, at character 7"),
        ("a = NULL", "nothing equals NULL: write IS NULL or IS NOT NULL, at character 5"),
        ("a > 'x'", "only numbers and properties have an order, at character 5"),
        ("a BETWEEN 2 AND 1", "the lower bound is above the upper one, at character 11"),
        ("a BETWEEN 2 OR 1", "expected AND and the upper bound, found OR, at character 13"),
        ("NOT a = 1", "NOT takes a condition in parentheses, as in NOT (a = 'x'), at character 5"),
        (
            "b = 1 AND a",
            "a alone is no condition: compare it, as in a = TRUE or a IS NOT NULL, at character 11",
        ),
        ("'x'", "a value alone is no condition: compare a property with it, at character 1"),
        ("a IS 1", "expected NULL, found 1, at character 6"),
        ("a NOT 1", "expected BETWEEN, IN, CONTAINS, STARTSWITH or ENDSWITH, found 1, at character 7"),
        ("a CONTAINS ''", "the empty text is never found, at character 12"),
        ("1 CONTAINS 'a'", "expected a property before CONTAINS, at character 1"),
        ("a = -b", "expected a number after the sign, found the property b, at character 6"),
        ("a = 007", "007 is no number: it may not begin with 0, at character 5"),
        ("a = 9223372036854775808", "9223372036854775808 is no integer of 64 bits, at character 5"),
        ("a = 1e999", "1e999 is no number of 64 bits, at character 5"),
        ("a = 1e", "the exponent has no digits, at character 5"),
        ("a = .", "a point without digits is no number, at character 5"),
    ] {
        assert_eq!(fault(text), expected, "{text}");
    }
}

#[test]
fn depth_is_limited_and_length_is_not() {
    let nested = |depth: usize| format!("{}TRUE{}", "(".repeat(depth), ")".repeat(depth));
    assert_eq!(truth(&nested(64)), Some(true));
    for deep in [nested(65), nested(1_000_000), "NOT ".repeat(1_000_000)] {
        let fault = Condition::parse(&deep).unwrap_err().to_string();
        assert!(fault.starts_with("more than 64 parentheses and NOTs inside each other"), "{fault}");
    }
    let long = "x".repeat(1_000_000);
    for text in [format!("a = {long}"), format!("{long} AND a = 1"), format!("a = 1 '{long}'")] {
        assert!(Condition::parse(&text).err().is_none_or(|fault| fault.to_string().len() < 300));
    }
    assert_eq!(truth(&format!("FALSE{}", " OR TAGS = 'x'".repeat(100_000))), Some(false));
}

/// Any text is read or refused: pieces of expressions in any order, and expressions with characters changed.
#[test]
fn no_text_makes_the_parser_panic() {
    const PIECES: [&str; 34] = [
        "a", "TAGS", "weight", " ", "(", ")", "=", "<>", "<", "<=", ">", ">=", "'x'", "'", "''", "1", "2.5",
        ".", "e9", "-", "+", "--", "/*", "*/", "\n", ",", "NOT ", "AND ", "OR ", "BETWEEN ", "IN", "IS NULL",
        "TRUE", "ü🚀",
    ];
    let mut random = fastrand::Rng::with_seed(92);
    let property = |name: &str| MESSAGE.iter().find(|(n, _)| *n == name).map(|(_, value)| *value);
    let mut read = 0;
    for _ in 0..200_000 {
        let mut text: String =
            (0..random.usize(..12)).map(|_| PIECES[random.usize(..PIECES.len())]).collect();
        if random.bool() {
            text = "TAGS = 'red' AND (weight NOT BETWEEN 1 AND 2.5 OR name CONTAINS 'i''')".into();
            for _ in 0..random.usize(1..4) {
                let mut characters: Vec<char> = text.chars().collect();
                let at = random.usize(..characters.len());
                match random.u8(..3) {
                    0 => drop(characters.remove(at)),
                    1 => characters.insert(at, random.char(..)),
                    _ => characters[at] = random.char(' '..='~'),
                }
                text = characters.into_iter().collect();
            }
        }
        match Condition::parse(&text) {
            Ok(condition) => {
                let _ = condition.holds(&|name| property(name));
                read += 1;
            }
            Err(fault) => assert!((1..=text.chars().count() + 1).contains(&fault.at), "{text:?}: {fault}"),
        }
    }
    assert!(read > 10_000, "only {read} texts were expressions");
}
