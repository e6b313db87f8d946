import { useId } from "react";
import css from "./segments.module.css";

/** A choice between a few things that are all in sight. */
export function Segments<T extends string>(props: {
  label: string;
  value: T;
  options: Record<T, string>;
  onChange: (value: T) => void;
}) {
  const name = useId();
  return (
    <fieldset className={css.segments}>
      <legend className="visually-hidden">{props.label}</legend>
      {(Object.entries(props.options) as [T, string][]).map(([value, label]) => (
        <label key={value}>
          <input
            type="radio"
            name={name}
            className="visually-hidden"
            checked={props.value === value}
            onChange={() => props.onChange(value)}
          />
          <span>{label}</span>
        </label>
      ))}
    </fieldset>
  );
}
