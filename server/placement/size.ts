/** Amounts of memory and disk as explanations tell them. */

/** Such as "64 GiB", "976.6 GiB", "536 MiB": what is small and not whole is told exactly, since a little may be what lacks. */
export function describeMib(sizeMib: number): string {
  const sizeGib = sizeMib / 1024;
  if (sizeMib > 0 && Number.isInteger(sizeGib)) return `${sizeGib} GiB`;
  return sizeGib < 10 ? `${sizeMib} MiB` : `${Math.round(sizeGib * 10) / 10} GiB`;
}
