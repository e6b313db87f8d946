// An Asterisk that makes no phone ring, beside the one of the server's sandbox.
import { spawn } from "node:child_process";

/** Starts one. Returns its port, the user and secret of its manager interface, and how to end it. */
export async function startAsterisk({ speed = 6 } = {}) {
  const child = spawn(process.env.TRUNKLINE_BIN, ["sandbox", "--listen", "127.0.0.1:0", "--speed", `${speed}`], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  const port = await new Promise((resolve, reject) => {
    const read = (text) => {
      said += text;
      const found = said.match(/listening on 127\.0\.0\.1:(\d+)/);
      if (found) resolve(Number(found[1]));
    };
    child.stdout.on("data", read);
    child.stderr.on("data", read);
    child.once("exit", (code) => reject(new Error(`the sandbox ended with ${code}: ${said}`)));
  });
  return {
    port,
    username: "dialer",
    secret: "dialer-secret",
    end: () => child.kill("SIGTERM"),
  };
}
