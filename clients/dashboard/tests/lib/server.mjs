// Starts what the tests look at: a Trunkline with its sandbox, and the built dashboard before it.
import { execFileSync, spawn } from "node:child_process";
import { createReadStream, existsSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import http from "node:http";
import http2 from "node:http2";
import { tmpdir } from "node:os";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { createGzip } from "node:zlib";

const dist = fileURLToPath(new URL("../../dist", import.meta.url));

export const CSP =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; " +
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'";

/** Starts a server with a new database. Returns its address and keys, and how to stop, restart and end it. */
export async function startTrunkline({ speed = 4, tls, settings = [] } = {}) {
  const args = [...settings, ...(tls ? ["--tls-cert", tls.files.cert, "--tls-key", tls.files.key] : [])];
  const binary = process.env.TRUNKLINE_BIN;
  if (!binary || !existsSync(binary)) throw new Error("set TRUNKLINE_BIN to the server's binary");
  // The server reads TRUNKLINE_* as settings.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("TRUNKLINE_")));
  const dir = mkdtempSync(join(tmpdir(), "trunkline-dashboard-"));
  const data = join(dir, "data");
  let child;
  let port = 0;
  let out = "";
  const start = async () => {
    child = spawn(
      binary,
      // biome-ignore format: one option with its value.
      ["serve", "--sandbox", "--sandbox-speed", `${speed}`, "--listen", `127.0.0.1:${port}`, "--data-dir", data, "--log-format", "text", ...args],
      { stdio: ["ignore", "pipe", "pipe"], env },
    );
    out = "";
    let log = "";
    child.stdout.on("data", (text) => {
      out += text;
    });
    const listening = await new Promise((resolve, reject) => {
      child.stderr.on("data", (text) => {
        log += text;
        const found = log.match(/listening on 127\.0\.0\.1:(\d+)/);
        if (found) resolve(Number(found[1]));
      });
      child.once("exit", (code) => reject(new Error(`the server ended with ${code}:\n${log}`)));
    });
    port = listening;
  };
  const stop = async () => {
    if (child.exitCode !== null) return;
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGTERM");
    await ended;
  };
  await start();
  // A run that is broken off leaves no server behind.
  process.on("exit", () => child.kill("SIGKILL"));
  for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => process.exit(1));
  for (let n = 0; n < 100 && !/API key/.test(out); n++) await new Promise((later) => setTimeout(later, 20));
  const clientKey = out.match(/API key\s+(\S+)/)?.[1];
  const adminKey = readFileSync(join(data, "admin.key"), "utf8").trim();
  return {
    url: `${tls ? "https" : "http"}://127.0.0.1:${port}/`,
    get port() {
      return port;
    },
    /** The path of the database. */
    database: join(data, "trunkline.db"),
    clientKey,
    adminKey,
    stop,
    start,
    async end() {
      await stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

const TYPES = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
};

/**
 * Serves the built dashboard below a path prefix as the server does, and sends everything else there to the API. With
 * EMBEDDED, the dashboard is the server's own, too. `cut` closes all open connections and refuses new ones until `mend`.
 * While the API is `away`, the page can be loaded and nothing else.
 */
export async function serveDashboard(target, { prefix = "/", tls } = {}) {
  const sockets = new Set();
  let refusing = false;
  let isAway = false;
  const answer = (request, response) => {
    if (!request.url.startsWith(prefix)) return void response.writeHead(404).end();
    const path = request.url.slice(prefix.length - 1);
    if (
      !process.env.EMBEDDED &&
      request.method === "GET" &&
      !path.startsWith("/calling") &&
      !path.startsWith("/trunkline")
    ) {
      const file = normalize(path.split("?")[0]).replace(/\/$/, "/index.html");
      const full = join(dist, file);
      if (!full.startsWith(dist) || !existsSync(full) || !statSync(full).isFile())
        return void response.writeHead(404).end();
      response.writeHead(200, {
        "content-type": TYPES[extname(file)] ?? "application/octet-stream",
        "content-encoding": "gzip",
        "content-security-policy": CSP,
        "cache-control": file.startsWith("/assets/") ? "max-age=31536000, immutable" : "no-cache",
      });
      return void createReadStream(full).pipe(createGzip()).pipe(response);
    }
    if (isAway && /^\/(calling|trunkline)/.test(path)) return void response.writeHead(502).end();
    const upstream = http.request(
      { host: "127.0.0.1", port: target.port, path, method: request.method, headers: forHttp1(request.headers) },
      (answer) => {
        response.writeHead(answer.statusCode, tls ? forHttp2(answer.headers) : answer.headers);
        response.flushHeaders();
        answer.pipe(response);
      },
    );
    upstream.on("error", () => (response.headersSent ? response.destroy() : response.writeHead(502).end()));
    response.on("close", () => upstream.destroy());
    request.pipe(upstream);
  };
  const server = tls ? http2.createSecureServer({ ...tls, allowHTTP1: true }, answer) : http.createServer(answer);
  server.on("connection", (socket) => {
    if (refusing) return void socket.destroy();
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
  return {
    url: `${tls ? "https" : "http"}://127.0.0.1:${server.address().port}${prefix}`,
    cut() {
      refusing = true;
      for (const socket of sockets) socket.destroy();
    },
    away(is) {
      isAway = is;
    },
    mend() {
      refusing = false;
    },
    end() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

/** Headers of a request without those that HTTP/2 alone has. */
const forHttp1 = (headers) => Object.fromEntries(Object.entries(headers).filter(([name]) => !name.startsWith(":")));

/** Headers of an answer without those that HTTP/2 forbids. */
const forHttp2 = ({ connection: _, "transfer-encoding": __, "keep-alive": ___, ...others }) => others;

/** Returns a new certificate for 127.0.0.1 that no one trusts, and its key. */
export function certificate() {
  const dir = mkdtempSync(join(tmpdir(), "trunkline-tls-"));
  const [key, cert] = [join(dir, "key.pem"), join(dir, "cert.pem")];
  // biome-ignore format: one option with its value.
  execFileSync("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", cert], { stdio: "ignore" });
  const made = { key: readFileSync(key), cert: readFileSync(cert), files: { key, cert } };
  return made;
}
