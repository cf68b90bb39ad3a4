/**
 * The addresses of simulated guests: in 127.0.0.0/8, so that all of them answer on this machine and on no other. Each Mac
 * has a block of 1,024; the first block stays free, so that 127.0.0.1 is never a guest's. Linux answers on the whole range;
 * macOS only where an alias was made.
 */

const blockSize = 1_024;
/** The last block would hold the range's broadcast address. */
export const macIndexMax = 2 ** 24 / blockSize - 3;

/** @param slot 1 to 1022. */
export function guestAddress(macIndex: number, slot: number): string {
  const offset = (macIndex + 1) * blockSize + slot;
  return `127.${offset >>> 16}.${(offset >>> 8) & 255}.${offset & 255}`;
}
