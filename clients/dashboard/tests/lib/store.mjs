// Changes the database behind the server's back, as time or an attacker does.
import { execFileSync } from "node:child_process";

/** Runs statements in the server's database. */
export function alter(server, sql) {
  const program = `
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], timeout=20)
db.executescript(sys.argv[2])
db.commit()
`;
  execFileSync("python3", ["-c", program, server.database, sql], { stdio: ["ignore", "inherit", "inherit"] });
}
