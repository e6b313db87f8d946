"""Adds what no schema can express: the names that an administrator chose when the server was set up, the time, and rules
between the elements of a list. No request leaves this machine."""

import re

import schemathesis
from schemathesis.generation import GenerationMode


# Hosts and URLs as in the schema. Values that it forbids are not changed, so that the server refuses them.
HOST = re.compile(r"(?:[^$\r\n\0]|\$+[^${\[\r\n\0])+\$*|\$+")
URL = re.compile(
    r"https://[A-Za-z0-9]([A-Za-z0-9.-]{0,100}[A-Za-z0-9])?"
    r"(:([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]))?"
    r"(/([A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})*)?([?]([A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})*)?"
)
NETWORK = re.compile(r"[0-9A-Fa-f:.]+(/[0-9]{1,3})?")
# What a caller id, an account and codecs may not have; other texts only not CR, LF and NUL.
CONTROL = re.compile(r"[\x00-\x1f\x7f]")
# All fields that a mask may name.
FIELD = re.compile(
    "name|account_code|disabled|servers|limits|policy|host|port|username|secret|tls|dial_template|max_channels"
    "|calls_per_second|recording_dirs|trunks|international_prefixes|country_code|national_prefix|service_codes|dial_format"
    "|url|events"
)
TOKEN = re.compile("[A-Za-z0-9_-]{1,255}")
# What the parsers of `src/domain/dial` understand: no schema can express their grammar. A denied application or context is
# still tried, because the answer to it is 403.
DIALED = {
    "Channel": "PJSIP/1234567890@endpoint1", "Exten": "s", "Priority": "1", "ChannelId": "channel-1",
    "OtherChannelId": "channel-2", "CallerID": "Your Company <1001>", "caller_id": "Your Company <1001>",
    "number1": "1234567890", "number2": "0987654321", "Context": "outbound", "contact_number": "1234567890",
    "contact_number_text": "1234567890",
}
DATA = {
    "dial": "PJSIP/0987654321@endpoint2,30", "queue": "support", "playback": "hello-world", "confbridge": "1234",
    "wait": "1", "echo": "",
}


def objects(value):
    """Yields every object in a body."""
    if isinstance(value, dict):
        yield value
        for member in value.values():
            yield from objects(member)
    elif isinstance(value, list):
        for element in value:
            yield from objects(element)


def granted(name, text):
    """Replaces a text in a body with a value that this server knows. An empty text stays empty."""
    if name in ("asterisk_server_code", "to_asterisk_server_code", "servers") and text:
        return "server1"
    if name == "recording_path" and text.startswith("/") and len(text) > 1:
        return "/recordings" + text
    if name == "mix_monitor_command" and text.startswith("MixMonitor /"):
        return text.replace("/", "/recordings/", 1)
    if name in ("expires_at", "deadline", "end_at") and text[:4].isdigit():
        # The server refuses what has ended already, and expires calls whose deadline has passed.
        return "2999" + text[4:]
    if name in ("not_before", "start_at") and text[:4].isdigit():
        # It also refuses what would begin after its end.
        return "2000" + text[4:]
    if name == "host" and len(text) <= 255 and HOST.fullmatch(text):
        return "127.0.0.1"
    if name == "networks" and NETWORK.fullmatch(text):
        return "127.0.0.0/8"
    if name == "url" and len(text) <= 2000 and URL.fullmatch(text):
        return "https://127.0.0.1:9/"
    return text


def agreeing(item):
    """Changes an object that should be valid, so that its parts fit together."""
    if isinstance(item.get("time_zone"), str):
        # Only the zone database knows the zones.
        item["time_zone"] = "Europe/Berlin"
    for name, understood in DIALED.items():
        if isinstance(item.get(name), str) and item[name]:
            item[name] = understood
    for name in ("CallerID", "Account", "Codecs", "caller_id", "did"):
        # Asterisk gets these as they are. The schema has no word for control characters that only they may not have.
        if isinstance(item.get(name), str):
            item[name] = CONTROL.sub(".", item[name])
    if isinstance(item.get("dids"), list):
        item["dids"] = [CONTROL.sub(".", did) if isinstance(did, str) else did for did in item["dids"]]
    if isinstance(item.get("contact_number"), float):
        # A decimal part is refused, as in a spreadsheet's 12025550143.0, although JSON Schema takes it for an integer.
        item["contact_number"] = int(item["contact_number"])
    if "contact_number" in item:
        # A number is given in one of its two fields.
        item.pop("contact_number_text", None)
    application = item.get("Application")
    if isinstance(application, str) and isinstance(item.get("Data"), str):
        item["Data"] = DATA.get(application.lower(), item["Data"])
    labels = item.get("labels")
    if isinstance(labels, dict):
        # Two keys that would be the same channel variable are refused, and so are labels of a queue that exists.
        keys = {re.sub("[.-]", "_", key): key for key in labels}
        item["labels"] = {key: labels[key] for key in keys.values()}
    if item.get("queue_id") is not None:
        # The queue exists, so nothing can be said of it.
        for name in ("labels", "name", "paused", "rules"):
            item.pop(name, None)
    if isinstance(item.get("filter"), dict) and not any(value is not None for value in item["filter"].values()):
        # An empty filter stands for all calls, and has to be confirmed.
        item["dry_run"] = True
    rules = item.get("retry_rules")
    if isinstance(rules, list):
        item["retry_rules"] = list({rule["outcome"]: rule for rule in rules}.values())
    trunks = item.get("trunks")
    if isinstance(trunks, list) and all(isinstance(trunk, dict) for trunk in trunks):
        item["trunks"] = list({trunk["trunk"]: trunk for trunk in trunks}.values())
    begin, end = item.get("from"), item.get("to")
    if isinstance(begin, str) and isinstance(end, str) and begin >= end:
        item["to"] = "24:00"


@schemathesis.hook
def before_call(context, case, kwargs):
    right = case.meta is not None and case.meta.generation.mode == GenerationMode.POSITIVE
    if case.method == "DELETE" and (case.path_parameters or {}).get("code") == "server1":
        # Everything else needs this server.
        case.path_parameters["code"] = "server2"
    if right and case.query:
        # Only the server makes page tokens.
        case.query.pop("page_token", None)
        step = str(case.query.get("step", ""))
        if step.removesuffix(".0").isdigit():
            # A step is a number of whole minutes.
            whole = int(step.removesuffix(".0"))
            case.query["step"] = str(whole - whole % 60)
        # Waiting calls can be moved only to another server that there is, which a client may use (tests/e2e/admin/servers.rs).
        case.query.pop("move_waiting_to", None)
        if case.path.endswith("/calls/statistics") and {"from", "to"} & set(case.query):
            # A period ends after it begins, and has so many steps at most.
            case.query.update({"from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z"})
    for item in objects(case.body):
        for name, value in item.items():
            if isinstance(value, str):
                item[name] = granted(name, value)
            elif isinstance(value, list):
                item[name] = [granted(name, one) if isinstance(one, str) else one for one in value]
        # With a mask, fields that it does not name are ignored even if they are wrong; without one, all fields count.
        mask = item.get("update_mask")
        if isinstance(mask, list) and mask and all(isinstance(name, str) and FIELD.fullmatch(name) for name in mask):
            del item["update_mask"]
        token = item.get("resume_token")
        if isinstance(token, str) and TOKEN.fullmatch(token):
            # Only the server makes tokens.
            del item["resume_token"]
        if right:
            agreeing(item)
