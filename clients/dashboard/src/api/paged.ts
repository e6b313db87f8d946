import type { DescMessage, DescMethodUnary, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { createQueryOptions, useTransport } from "@connectrpc/connect-query";
import { keepPreviousData, useQueries } from "@tanstack/react-query";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";

/** An answer that is a page of a list, as of `ListQueues`. */
interface PageOf<T> {
  results: T[];
  count: bigint;
  page: number;
}

/** A list of any length, of which only the pages in sight are asked for. */
export interface Paged<T> {
  count: number;
  row: (index: number) => T | undefined;
  /** To be told which rows are in sight. */
  onRange: (first: number, last: number) => void;
  refetch: () => Promise<unknown>;
  error: unknown;
  isPending: boolean;
}

/** Milliseconds for which the viewer stays at a place before its page is asked for. */
const PAUSE = 60;

/** Asks for the pages of a list that are in sight, and for the first one. */
export function usePaged<I extends DescMessage, O extends DescMessage, T>(
  method: DescMethodUnary<I, O>,
  request: MessageInitShape<I>,
  results: (answer: MessageShape<O>) => PageOf<T>,
  pageSize: number,
  options?: { refetchInterval?: number; enabled?: boolean },
): Paged<T> {
  const transport = useTransport();
  const [pages, setPages] = useState<readonly number[]>([1]);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => () => clearTimeout(timer.current), []);
  const wanted = pages.includes(1) ? pages : [1, ...pages];
  const answers = useQueries({
    queries: wanted.map((page) => ({
      ...createQueryOptions(method, { ...request, page, pageSize } as MessageInitShape<I>, { transport }),
      ...options,
      placeholderData: page === 1 ? keepPreviousData : undefined,
    })),
  });
  const data = answers.map((it) => it.data as MessageShape<O> | undefined);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the answers themselves are the dependencies.
  const known = useMemo(() => {
    const rows = new Map<number, T>();
    let count = 0;
    for (const answer of data) {
      if (!answer) continue;
      const page = results(answer);
      count = Number(page.count);
      page.results.forEach((row, n) => {
        rows.set((page.page - 1) * pageSize + n, row);
      });
    }
    return { rows, count };
  }, [...data, data.length, pageSize]);

  const onRange = useCallback(
    (first: number, last: number) => {
      clearTimeout(timer.current);
      timer.current = setTimeout(() => {
        const [a, b] = [Math.floor(first / pageSize) + 1, Math.floor(last / pageSize) + 1];
        setPages((before) =>
          before.at(0) === a && before.at(-1) === b ? before : Array.from({ length: b - a + 1 }, (_, n) => a + n),
        );
      }, PAUSE);
    },
    [pageSize],
  );
  return {
    count: known.count,
    row: (index) => known.rows.get(index),
    onRange,
    refetch: () => Promise.all(answers.map((it) => it.refetch({ cancelRefetch: false }))),
    error: answers.find((it) => it.error)?.error,
    isPending: answers[0]?.isPending ?? true,
  };
}
