// What the stories do beside the dashboard, over REST.

/** Returns functions that call the API with a key. */
export function api(server, key) {
  const send = async (method, path, body) => {
    const response = await fetch(`${server.url}calling/api/v1/${path}`, {
      method,
      headers: { "X-API-KEY": key, "content-type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await response.text();
    if (!response.ok)
      throw Object.assign(new Error(`${method} ${path}: ${response.status} ${text}`), { status: response.status });
    const json = text === "" ? {} : JSON.parse(text);
    return json.data ?? json;
  };
  let batch = Date.now();
  return {
    get: (path) => send("GET", path),
    post: (path, body = {}) => send("POST", path, body),
    patch: (path, body) => send("PATCH", path, body),
    put: (path, body) => send("PUT", path, body),
    delete: (path) => send("DELETE", path),
    /** Inserts calls to these numbers into a queue, which is created if none is named. Returns its id. */
    async insert(numbers, { queueId, seconds = 5, each = {}, ...queue } = {}) {
      let id = queueId;
      for (let at = 0; at < numbers.length; at += 1000) {
        const data = numbers.slice(at, at + 1000).map((number) => ({
          asterisk_server_code: "server1",
          contact_number: number,
          action: { Action: "Originate", Channel: `PJSIP/${number}@carrier`, Application: "Wait", Data: `${seconds}` },
          ...each,
        }));
        const answer = await send("POST", "queues/insertdataincallqueue", {
          batch_id: batch++,
          data,
          ...(id === undefined ? queue : { queue_id: id }),
        });
        id = answer.queue_id;
      }
      return id;
    },
  };
}

/** Returns numbers whose last two digits say how the sandbox ends the call. */
export const numbers = (count, ending = "10", first = 49300000) =>
  Array.from({ length: count }, (_, n) => Number(`${first + n}${ending}`));
