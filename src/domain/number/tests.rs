use proptest::prelude::*;

use super::*;

fn german() -> Numbering {
    Numbering { country_code: Some("49".into()), national_prefix: Some("0".into()), ..Numbering::default() }
}

fn american() -> Numbering {
    Numbering { country_code: Some("1".into()), national_prefix: Some("1".into()), ..Numbering::default() }
}

fn canonical(numbering: &Numbering, text: &str) -> String {
    numbering.canonical(&read_field(text).unwrap_or_else(|error| panic!("{text}: {error}")))
}

#[test]
fn every_way_to_write_a_number_is_one_number() {
    for text in [
        "+49 (0)30 23125-018",
        "0049 30 23125018",
        "01149 30 23125018",
        "030 23125018",
        "+49.30.23125.018",
        "(030) 23125/018",
        "(0)30 23125018",
        "\u{202a}+49\u{a0}30\u{a0}23125018\u{202c}",
        "0049 (0) 30 23125018",
        "49 (0)30 23125018",
        "493023125018",
    ] {
        assert_eq!(canonical(&german(), text), "493023125018", "{text}");
    }
    for text in ["+1 202.555.0143", "001 202 555 0143", "011 1 202 555 0143", "12025550143"] {
        for numbering in [german(), american(), Numbering::default()] {
            assert_eq!(canonical(&numbering, text), "12025550143", "{text}");
        }
    }
    assert_eq!(canonical(&american(), "(202) 555-0143"), "12025550143");
}

#[test]
fn what_is_not_a_number_is_refused_with_its_reason() {
    use NumberError::*;
    for (text, wrong) in [
        ("", Empty),
        (" ", Empty),
        ("+", Empty),
        ("12025550143.0", Decimal),
        ("12025550143.000", Decimal),
        (" 12025550143.5 ", Decimal),
        ("9.19877E+11", Exponent),
        ("9,19877e11", Exponent),
        ("٤٩٣٠٢٣١٢٥٠١٨", ForeignDigit('٤')),
        ("4930\u{ff12}3125018", ForeignDigit('\u{ff12}')),
        ("882;phone-context=+1", Character(';')),
        ("%38%38%32", Character('%')),
        ("w19005551234", Letter('w')),
        ("x88212345", Letter('x')),
        ("1-800-FLOWERS", Letter('F')),
        ("30,40", Character(',')),
        ("4930\t1", Character('\t')),
        ("++4930", Plus),
        ("49+30", Plus),
        ("+0049 30", CountryCodeZero),
        ("+4930 (0)5", Zero),
        ("030 (0)5", Zero),
        ("+49 (0) (0)30", Zero),
        ("*31#", CodeAlone("*31#".into())),
    ] {
        assert_eq!(read_field(text), Err(wrong), "{text}");
    }
    assert_eq!(read("030/23125018"), Err(Character('/')), "in a dial string, `/` is no separator");
    assert_eq!(read(&"1".repeat(40)), Err(TooLong(40)));
}

#[test]
fn a_service_code_goes_out_only_if_the_server_lists_it() {
    let written = read("*31#+49 30 23125018").unwrap();
    assert_eq!(german().check(&written), Err(NumberError::ServiceCode("*31#+493023125018".into())));
    let listing = Numbering { service_codes: vec!["*31#".into(), "*67".into(), "#".into()], ..german() };
    assert_eq!(listing.check(&written), Ok(()));
    assert_eq!(listing.canonical(&written), "493023125018");
    assert_eq!(listing.wire(&written), "*31#+493023125018");
    let bare = read("*67 1 900 555 1234").unwrap();
    assert_eq!(
        (listing.check(&bare), listing.canonical(&bare), listing.wire(&bare)),
        (Ok(()), "19005551234".into(), "*6719005551234".into())
    );
    let international = Numbering { dial_format: DialFormat::International, ..listing.clone() };
    assert_eq!(international.wire(&written), "*31#00493023125018");
    assert_eq!(listing.check(&read("*67").unwrap()), Err(NumberError::CodeAlone("*67".into())));
    for other in ["*68123456", "#31#4930", "*31#*67123", "*98", "12*34"] {
        let written = read(other).unwrap();
        assert_eq!(listing.check(&written), Err(NumberError::ServiceCode(other.into())), "{other}");
    }
}

#[test]
fn a_number_goes_out_in_the_format_of_the_server() {
    let wire = |format, text: &str| Numbering { dial_format: format, ..german() }.wire(&read(text).unwrap());
    for (format, out) in [
        (DialFormat::AsGiven, "03023125018"),
        (DialFormat::E164, "+493023125018"),
        (DialFormat::Digits, "493023125018"),
        (DialFormat::International, "00493023125018"),
    ] {
        assert_eq!(wire(format, "(030) 23125-018"), out);
        assert_eq!(wire(format, "112"), "112", "an emergency number has no country code");
    }
    assert_eq!(wire(DialFormat::AsGiven, "+49 (0)30 23125-018"), "+493023125018");
    let unknown = Numbering { dial_format: DialFormat::E164, ..Numbering::default() };
    assert_eq!(unknown.wire(&read("030 23125018").unwrap()), "03023125018");
}

#[test]
fn a_number_is_compared_in_each_form_under_which_it_may_be_listed() {
    let compared = |numbering: &Numbering, text: &str| numbering.compared(&read_field(text).unwrap());
    assert_eq!(compared(&german(), "+49 30 23125018"), ["493023125018", "03023125018", "4903023125018"]);
    assert!(compared(&german(), "+49 030 23125018").contains(&"493023125018".into()));
    assert_eq!(compared(&Numbering::default(), "0049 30 23125018"), ["493023125018"]);
    assert_eq!(compared(&american(), "202-555-0143"), ["12025550143", "2025550143"]);
    let spanish = Numbering { country_code: Some("34".into()), ..Numbering::default() };
    assert_eq!(compared(&spanish, "912345678"), ["34912345678", "912345678"]);
    let british = Numbering { country_code: Some("44".into()), ..german() };
    assert!(compared(&british, "0113 496 0000").contains(&"441134960000".into()), "it is not in Spain");
    let australian = Numbering { international_prefixes: vec!["0011".into()], ..Numbering::default() };
    assert_eq!(compared(&australian, "0011 49 30 23125018")[0], "493023125018");
}

#[test]
fn a_number_with_zeros_in_place_of_a_country_code_is_refused() {
    for text in ["000882123", "0110882123", "0000"] {
        let checked = Numbering::default().check(&read(text).unwrap());
        assert_eq!(checked, Err(NumberError::CountryCodeZero), "{text}");
    }
    assert_eq!(Numbering::default().check(&read("000").unwrap()), Ok(()), "an emergency number");
}

fn numbering() -> impl Strategy<Value = Numbering> {
    let prefixes = prop_oneof![Just(vec![]), Just(vec!["00".to_owned()]), Just(vec!["0011".into(), "810".into()])];
    let country = prop::option::of(prop_oneof![Just("49"), Just("1"), Just("7"), Just("34"), Just("44")]);
    let national = prop::option::of(prop_oneof![Just("0"), Just("1"), Just("8"), Just("")]);
    let format = prop_oneof![Just(DialFormat::AsGiven), Just(DialFormat::E164), Just(DialFormat::International)];
    (prefixes, country, national, format).prop_map(|(international_prefixes, country, national, dial_format)| {
        Numbering {
            international_prefixes,
            country_code: country.map(str::to_owned),
            national_prefix: national.map(str::to_owned),
            service_codes: vec!["*31#".into(), "*67".into()],
            dial_format,
        }
    })
}

proptest! {
    #[test]
    fn separators_never_change_what_a_number_is(
        number in "(\\*31#)?(\\+[1-9])?[0-9]{3,14}",
        separators in prop::collection::vec("[ \u{a0}()\u{200b}\u{202a}/.-]{0,3}", 20),
        numbering in numbering(),
    ) {
        let parted: String =
            number.chars().zip(&separators).flat_map(|(digit, separator)| separator.chars().chain([digit])).collect();
        let has_zero = |text: &str| text.replace([' ', '\u{a0}', '\u{200b}', '\u{202a}'], "").contains("(0)");
        prop_assume!(!has_zero(&parted));
        let (plain, read) = (read(&number).unwrap(), read_field(&parted));
        prop_assume!(read != Err(NumberError::Decimal));
        prop_assert_eq!(read.as_ref(), Ok(&plain));
        prop_assert_eq!(numbering.compared(&read.unwrap()), numbering.compared(&plain));
    }

    #[test]
    fn what_goes_out_is_the_same_number(number in "(\\*31#|\\*67)?(\\+[1-9]|00|011)?[0-9]{3,14}", numbering in numbering()) {
        let written = read(&number).unwrap();
        prop_assume!(numbering.check(&written).is_ok());
        let wire = numbering.wire(&written);
        prop_assert_eq!(numbering.canonical(&read(&wire).unwrap()), numbering.canonical(&written), "{}", wire);
        let digits = Numbering { dial_format: DialFormat::Digits, ..numbering.clone() }.wire(&written);
        prop_assert!(digits.ends_with(&numbering.canonical(&written)), "{}", digits);
    }

    #[test]
    fn a_prefix_for_abroad_is_the_same_as_a_plus(number in "[1-9][0-9]{6,13}") {
        for numbering in [Numbering::default(), german()] {
            let compared = |prefix: &str| numbering.compared(&read(&format!("{prefix}{number}")).unwrap());
            prop_assert_eq!(compared("00")[0].clone(), compared("+")[0].clone());
            prop_assert_eq!(compared("011")[0].clone(), compared("+")[0].clone());
            prop_assert_eq!(compared("+")[0].clone(), number.clone());
        }
        prop_assert_eq!(Numbering::default().canonical(&read(&number).unwrap()), number);
    }

    #[test]
    fn any_text_is_read_without_a_panic_and_what_is_read_is_read_again(text in "\\PC{0,40}|[0-9+*#() ./-]{0,40}") {
        if let Ok(written) = read_field(&text) {
            prop_assert_eq!(read(&written.to_string()), Ok(written));
        }
    }

    #[test]
    fn a_listed_number_is_found_in_any_spelling_on_a_server_of_its_country(
        rest in "[1-9][0-9]{5,9}",
        listed in 0..6_usize,
        dialed in 0..6_usize,
    ) {
        let spellings = |rest: &str| [
            format!("+49 {rest}"), format!("0049{rest}"), format!("011-49-{rest}"), format!("+49 (0){rest}"),
            format!("0{rest}"), format!("49{rest}"),
        ];
        let entry = Numbering::listed(&read_field(&spellings(&rest)[listed]).unwrap());
        let compared = german().compared(&read_field(&spellings(&rest)[dialed]).unwrap());
        prop_assert!(compared.contains(&entry), "{} is not in {:?}", entry, compared);
    }
}
