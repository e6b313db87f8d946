//! The files of the server are for its owner alone, no matter who made the directory.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::command::{Ran, run};
use crate::support::server::{Options, trunkline};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// Runs the server without a umask, so that only the server itself keeps its files private.
fn open_handed() -> Options {
    Options::default().within(["sh", "-c", "umask 0; exec \"$@\"", "sh"])
}

fn migrate(dir: &Path) -> Ran {
    run(trunkline().arg("migrate").env("TRUNKLINE_DATA_DIR", dir))
}

#[test]
fn every_file_of_the_server_is_for_its_owner_alone() {
    let server = open_handed().arg("--sandbox").start();
    let data = server.data_dir();
    assert_eq!(mode(&data), 0o700);
    let files: Vec<_> = fs::read_dir(&data).unwrap().map(|entry| entry.unwrap().path()).collect();
    let names: Vec<_> = files.iter().map(|file| file.file_name().unwrap().to_str().unwrap()).collect();
    for name in ["trunkline.db", "trunkline.db-wal", "trunkline.db-shm", "admin.key", "secret.key"] {
        assert!(names.contains(&name), "{names:?}");
    }
    for file in files {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
}

#[test]
fn files_that_others_could_read_are_closed_at_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let mut server = open_handed().data_dir(&data).start();
    assert!(server.stop().success());
    let files = ["trunkline.db", "admin.key", "secret.key", "trunkline.db.node-lock"].map(|name| data.join(name));
    set_mode(&data, 0o755);
    files.iter().for_each(|file| set_mode(file, 0o644));
    let server = open_handed().data_dir(&data).start();
    assert_eq!(mode(&data), 0o700);
    for file in files.iter().chain([&data.join("trunkline.db-wal")]) {
        assert_eq!(mode(file), 0o600, "{}", file.display());
    }
    assert!(server.output().text().contains("took the access of other users away"), "{}", server.output().text());
}

#[test]
fn a_database_outside_the_data_directory_is_closed_too() {
    let dir = tempfile::tempdir().unwrap();
    set_mode(dir.path(), 0o755);
    let database = dir.path().join("calls.db");
    let url = format!("sqlite://{}", database.display());
    let options = open_handed().data_dir(dir.path().join("data")).env("TRUNKLINE_DATABASE_URL", url);
    let mut server = options.clone().start();
    assert_eq!(mode(&database), 0o600);
    assert!(server.stop().success());
    set_mode(&database, 0o666);
    let _server = options.start();
    assert_eq!(mode(&database), 0o600);
    assert_eq!(mode(dir.path()), 0o755, "the directory may hold other files");
}

#[test]
fn an_empty_directory_is_taken_and_one_with_other_files_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    set_mode(dir.path(), 0o755);
    assert_eq!(migrate(dir.path()).code, 0);
    assert_eq!(mode(dir.path()), 0o700);

    set_mode(dir.path(), 0o755);
    fs::write(dir.path().join("letter.txt"), "dear").unwrap();
    let refused = migrate(dir.path());
    assert_eq!(refused.code, 1, "{}", refused.stderr);
    assert!(refused.stderr.contains("holds other files, such as letter.txt"), "{}", refused.stderr);
    assert_eq!(mode(dir.path()), 0o755, "it was left alone");
    set_mode(dir.path(), 0o700);
    assert_eq!(migrate(dir.path()).code, 0);
}

#[test]
fn a_directory_to_which_everyone_may_write_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    set_mode(dir.path(), 0o777);
    let refused = migrate(dir.path());
    assert_eq!(refused.code, 1, "{}", refused.stderr);
    assert!(refused.stderr.contains("every user may write to the data directory"), "{}", refused.stderr);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "nothing was put into it");
}
