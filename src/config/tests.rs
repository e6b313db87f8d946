use super::*;

// Variables belong to the whole process, so the tests set none, and use files and flags.

fn load(toml: &str) -> Result<Config, ConfigError> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("trunkline.toml");
    std::fs::write(&path, toml).unwrap();
    Config::load(&Flags { config: Some(path), ..Flags::default() })
}

fn is_at_line(error: &str, key: &str, line: usize, message: &str) -> bool {
    error.starts_with(&format!("{key} in /")) && error.contains(&format!("/trunkline.toml:{line}: {message}"))
}

#[test]
fn an_unknown_key_is_an_error_that_names_it() {
    let error = load("listn = '127.0.0.1:1'").unwrap_err().to_string();
    assert!(error.contains("listn") && !error.contains('\n'), "{error}");
}

#[test]
fn an_error_names_the_key_the_file_and_the_line() {
    let error = load("# ours\nlistn = '127.0.0.1:1'").unwrap_err().to_string();
    assert!(is_at_line(&error, "listn", 2, "unknown field `listn`") && !error.contains('\n'), "{error}");
    let error = load("node_name = 'a'\n\nlisten = 'nowhere'").unwrap_err().to_string();
    assert!(is_at_line(&error, "listen", 3, ""), "{error}");
    let error = load("node_name = 'a'\nlisten = ").unwrap_err().to_string();
    assert!(error.contains("/trunkline.toml:2: ") && !error.contains('\n'), "{error}");
}

#[test]
fn a_flag_wins_over_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("trunkline.toml");
    std::fs::write(&path, "listen = '127.0.0.1:1'\nnode_name = 'a'").unwrap();
    let flags = Flags { config: Some(path), node_name: Some("b".into()), ..Flags::default() };
    let config = Config::load(&flags).unwrap();
    assert_eq!((config.listen.port(), config.node_name().as_str()), (1, "b"));
}

#[test]
fn a_shared_database_needs_a_shared_secret_key() {
    assert!(matches!(load("database_url = 'postgres://x/y'"), Err(ConfigError::NoSecretKey)));
    assert!(load("database_url = 'mysql://x/y'").is_err());
    assert!(load("database_url = 'sqlite://x.db'").is_ok());
}

#[test]
fn a_variable_is_a_text_even_where_it_looks_like_a_number() {
    let set = [("TRUNKLINE_ADMIN_KEY", "12345678901234567"), ("TRUNKLINE_LOG", ""), ("TRUNKLINE_URL", "x"), ("A", "b")];
    let found = from_environment(set.iter().map(|(name, value)| ((*name).into(), (*value).into())));
    assert_eq!(found.into_iter().collect::<Vec<_>>(), [("admin_key".to_owned(), "12345678901234567".to_owned())]);
}

#[test]
fn trusted_proxies_are_a_list_or_a_text_of_networks() {
    for text in ["['10.0.0.0/8', '::1']", "'10.0.0.0/8, ::1'"] {
        let config = load(&format!("trusted_proxies = {text}")).unwrap();
        assert_eq!(config.trusted_proxies.texts(), ["10.0.0.0/8", "::1/128"]);
    }
    assert!(load("").unwrap().trusted_proxies.is_empty(), "no proxy is trusted by default");
    let error = load("trusted_proxies = '10.0.0.0/8, proxy'").unwrap_err().to_string();
    assert!(is_at_line(&error, "trusted_proxies", 1, "`proxy` is not a network"), "{error}");
}

#[test]
fn the_longest_call_is_a_number_or_a_text_of_seconds() {
    for (text, seconds) in [("", 14_400), ("max_call_seconds = 60", 60), ("max_call_seconds = '90'", 90)] {
        assert_eq!(load(text).unwrap().max_call_seconds, seconds, "{text}");
    }
    for text in ["0", "'0'", "-1", "'1h'", "1.5"] {
        let error = load(&format!("max_call_seconds = {text}")).unwrap_err().to_string();
        assert!(is_at_line(&error, "max_call_seconds", 1, ""), "{text}: {error}");
    }
}

#[test]
fn the_calls_to_new_destinations_are_a_number_from_0() {
    for (text, calls) in [("", 100), ("brake_new_destination_calls = 0", 0), ("brake_new_destination_calls = '7'", 7)] {
        assert_eq!(load(text).unwrap().brake_new_destination_calls, calls, "{text}");
    }
    let error = load("brake_new_destination_calls = -1").unwrap_err().to_string();
    assert!(is_at_line(&error, "brake_new_destination_calls", 1, ""), "{error}");
}

#[test]
fn a_certificate_needs_its_key() {
    assert!(load("tls_cert = 'a.pem'").unwrap_err().to_string().contains("tls_key"));
    let files = load("tls_cert = 'a.pem'\ntls_key = 'a.key'").unwrap().tls().unwrap().unwrap();
    assert_eq!(files.key, Path::new("a.key"));
}

#[test]
fn certificates_of_clients_need_tls_and_a_ca() {
    let tls = "tls_cert = 'a.pem'\ntls_key = 'a.key'\n";
    assert!(load("tls_client_ca = 'ca.pem'").unwrap_err().to_string().contains("tls_cert"));
    assert!(load(&format!("{tls}tls_client_auth = 'grpc'")).unwrap_err().to_string().contains("tls_client_ca"));
    let files = |more: &str| load(&format!("{tls}{more}")).unwrap().tls().unwrap().unwrap();
    assert_eq!(files("tls_client_ca = 'ca.pem'").client_auth, ClientAuth::Required);
    assert_eq!(files("tls_client_ca = 'ca.pem'\ntls_client_auth = 'grpc'").client_auth, ClientAuth::Grpc);
}

#[test]
fn a_public_address_needs_tls_or_consent() {
    let check = |text: &str| load(text).unwrap().check_public();
    assert!(check("").is_ok() && check("listen = '[::1]:8080'").is_ok());
    assert!(matches!(check("listen = '0.0.0.0:8080'"), Err(ConfigError::InsecurePublic(_))));
    assert!(check("listen = '0.0.0.0:8080'\ninsecure_public = true").is_ok());
    assert!(check("listen = '0.0.0.0:8080'\ntls_cert = 'a.pem'\ntls_key = 'a.key'").is_ok());
}

#[test]
fn an_error_of_a_door_names_its_key() {
    let error = load("idle_timeout = 0").unwrap_err().to_string();
    assert!(is_at_line(&error, "idle_timeout", 1, "must be"), "{error}");
}

#[test]
fn a_secret_comes_from_a_file_or_from_its_own_setting_but_not_from_both() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("key");
    std::fs::write(&file, "  from-a-file-of-its-own\n").unwrap();
    let config = load(&format!("admin_key_file = '{}'", file.display())).unwrap();
    assert_eq!(config.admin_key.unwrap().expose_secret(), "from-a-file-of-its-own");
    let both = load(&format!("admin_key = 'x'\nadmin_key_file = '{}'", file.display()));
    assert!(matches!(both, Err(ConfigError::Twice("admin_key"))));
    assert!(matches!(load("secret_key_file = '/nowhere/at/all'"), Err(ConfigError::File { .. })));
}

#[test]
fn of_a_secret_and_its_file_the_later_layer_wins() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("text");
    std::fs::write(&path, "sqlite://from-its-file").unwrap();
    let path = path.display().to_string();
    let layered = |file: &str, variables: &[(&str, &str)], flag: Option<&str>| {
        let variables = variables.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        Config::layered(
            File { path: Path::new("file"), text: file },
            &variables,
            &Flags { database_url: flag.map(Into::into), ..Flags::default() },
        )
    };
    let url = |file: &str, variables: &[(&str, &str)], flag| layered(file, variables, flag).unwrap().database_url();
    let (plain, in_file) = (("database_url", "sqlite://a"), ("database_url_file", path.as_str()));
    assert_eq!(url("database_url = 'sqlite://b'", &[in_file], None), "sqlite://from-its-file");
    assert_eq!(url(&format!("database_url_file = '{path}'"), &[plain], None), "sqlite://a");
    assert_eq!(url("database_url_file = '/nowhere'", &[in_file], Some("sqlite://c")), "sqlite://c");
    let both = layered("", &[plain, in_file], Some("sqlite://c"));
    assert!(matches!(both, Err(ConfigError::Twice("database_url"))), "one layer contradicts itself");
}

#[test]
fn earlier_secret_keys_have_commas_or_white_space_in_between() {
    let keys = |toml: &str| -> Vec<String> {
        let keys = load(toml).unwrap().previous_secret_keys();
        keys.iter().map(|key| key.expose_secret().to_owned()).collect()
    };
    assert_eq!(keys("previous_secret_keys = 'a=,  b='"), ["a=", "b="]);
    assert!(keys("").is_empty());
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("keys");
    std::fs::write(&file, "a=\nb=\n").unwrap();
    assert_eq!(keys(&format!("previous_secret_keys_file = '{}'", file.display())), ["a=", "b="]);
}

#[test]
fn webhooks_are_opened_by_two_settings_that_are_closed_by_default() {
    let config = load("").unwrap();
    assert!(!config.webhook_http.0 && config.webhook_networks.is_empty());
    let config = load("webhook_http = 'true'").unwrap();
    assert!(config.webhook_http.0 && config.webhook_networks.is_empty());
    let config = load("webhook_networks = '10.0.0.0/8, ::1'").unwrap();
    assert!(!config.webhook_http.0 && config.webhook_networks.texts() == ["10.0.0.0/8", "::1/128"]);
    let error = load("webhook_networks = ['10.0.0.7/8']").unwrap_err().to_string();
    assert!(is_at_line(&error, "webhook_networks", 1, "`10.0.0.7/8` has bits after its prefix"), "{error}");
}

#[test]
fn no_secret_is_printed() {
    let config = load(
        "database_url = 'postgres://a:SECRET@b/c'\nadmin_key = 'SECRET'\nsecret_key = 'SECRET'\n\
         previous_secret_keys = 'SECRET'",
    );
    let printed = format!("{:?}", config.unwrap());
    assert!(!printed.contains("SECRET"), "{printed}");
}
