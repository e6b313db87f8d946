//! Tests that SQLite is compiled with the flags of `.cargo/config.toml` and not with those of its crate.

use diesel::prelude::*;
use diesel::sql_types::Text;

#[derive(QueryableByName)]
struct Compiled {
    #[diesel(sql_type = Text, column_name = "compile_options")]
    with: String,
}

#[test]
fn sqlite_is_compiled_for_speed_and_not_for_debugging() {
    let mut store = SqliteConnection::establish(":memory:").expect("a store");
    let options: Vec<Compiled> = diesel::sql_query("PRAGMA compile_options").load(&mut store).expect("options");
    let has = |option: &str| options.iter().any(|compiled| compiled.with == option);
    for wanted in ["DEFAULT_MEMSTATUS=0", "LIKE_DOESNT_MATCH_BLOBS", "THREADSAFE=2"] {
        assert!(has(wanted), "{wanted}");
    }
    for costly in ["ENABLE_API_ARMOR", "ENABLE_LOAD_EXTENSION", "ENABLE_MEMORY_MANAGEMENT", "ENABLE_STAT4"] {
        assert!(!has(costly), "{costly}");
    }
}
