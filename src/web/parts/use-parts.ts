import { useInfiniteQuery } from '@tanstack/react-query';

export const partSize = 100;

interface Part<Item> {
  total: number;
  matching: number;
  items: Item[];
}

/** A list that is loaded in parts of `partSize`, as far as one has asked for more of them. */
export function useParts<Item>(path: string, filter: object, read: (offset: number) => Promise<Part<Item>>) {
  const { data, ...query } = useInfiniteQuery({
    queryKey: ['get', path, filter],
    queryFn: ({ pageParam }) => read(pageParam),
    initialPageParam: 0,
    getNextPageParam: ({ matching, items }, parts) =>
      items.length > 0 && parts.length * partSize < matching ? parts.length * partSize : undefined,
  });
  const last = data?.pages.at(-1);
  const items = data?.pages.flatMap((part) => part.items) ?? [];
  return { ...query, data: last && { ...last, items } };
}
