import { type Timestamp, timestampMs } from "@bufbuild/protobuf/wkt";
import { useEffect, useState } from "react";
import { serverNow } from "../api/session";
import { type Settings, settings } from "../settings";
import { useStore } from "../store";
import { t } from "../text/en";
import css from "./controls.module.css";

type Zone = Settings["zone"];

const formats = new Map<string, Intl.DateTimeFormat>();

function format(zone: Zone, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const name = zone + JSON.stringify(options);
  let made = formats.get(name);
  if (!made) {
    made = new Intl.DateTimeFormat("en-GB", {
      ...options,
      hourCycle: "h23",
      timeZone: zone === "utc" ? "UTC" : undefined,
    });
    formats.set(name, made);
  }
  return made;
}

/** Writes a time with its date and zone, for example `27 Nov 2026, 18:04:05 UTC`. */
export function absolute(milliseconds: number, zone: Zone): string {
  return (
    format(zone, { dateStyle: "medium", timeStyle: "medium" }).format(milliseconds) +
    (zone === "utc" ? ` ${t.time.utc}` : "")
  );
}

/** Writes the time of day, for example `18:04:05`. */
export function clock(milliseconds: number, zone: Zone): string {
  return format(zone, { hour: "2-digit", minute: "2-digit", second: "2-digit" }).format(milliseconds);
}

/** Writes a time short, and with its date only if that is not today. */
export function short(milliseconds: number, zone: Zone): string {
  const day = format(zone, { day: "numeric", month: "short", year: "numeric" });
  if (day.format(milliseconds) === day.format(serverNow())) return clock(milliseconds, zone);
  // A time of another year is far away: its year says more than its minute.
  const year = format(zone, { year: "numeric" });
  if (year.format(milliseconds) !== year.format(serverNow())) return day.format(milliseconds);
  return format(zone, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" }).format(milliseconds);
}

const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto", style: "short" });

/** Writes how long ago a time is or how far ahead, for example `3 min. ago`. */
export function ago(milliseconds: number, now = serverNow()): string {
  const seconds = Math.round((milliseconds - now) / 1000);
  const size = Math.abs(seconds);
  if (size < 60) return relative.format(seconds, "second");
  if (size < 3600) return relative.format(Math.trunc(seconds / 60), "minute");
  if (size < 86400) return relative.format(Math.trunc(seconds / 3600), "hour");
  return relative.format(Math.trunc(seconds / 86400), "day");
}

/** Writes a number of seconds as `0:07`, `12:05` or `1:02:03`. Negative ones, from clocks that differ, are 0. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const two = (n: number) => `${n}`.padStart(2, "0");
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor(whole / 60) % 60;
  return hours > 0 ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

/** Returns a time that moves on, and draws the component again each time. */
export function useNow(every = 1000): number {
  const [now, setNow] = useState(serverNow);
  useEffect(() => {
    const timer = setInterval(() => setNow(serverNow()), every);
    return () => clearInterval(timer);
  }, [every]);
  return now;
}

/** Returns the zone in which the viewer wants times. */
export function useZone(): Zone {
  return useStore(settings).zone;
}

/** A time, with the whole of it on hover. `relative` writes how long ago it is. */
export function Time({ at, relative: isRelative }: { at: Timestamp | undefined; relative?: boolean }) {
  const zone = useZone();
  if (!at) return <span className={css.dim}>{t.time.none}</span>;
  const milliseconds = timestampMs(at);
  return (
    <time dateTime={new Date(milliseconds).toISOString()} title={absolute(milliseconds, zone)}>
      {isRelative ? <Ago milliseconds={milliseconds} /> : short(milliseconds, zone)}
    </time>
  );
}

function Ago({ milliseconds }: { milliseconds: number }) {
  const now = useNow(5000);
  return <>{ago(milliseconds, now)}</>;
}
