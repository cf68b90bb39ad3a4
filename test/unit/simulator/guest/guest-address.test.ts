import assert from "node:assert/strict";
import { guestAddress, macIndexMax } from "../../../../simulator/guest/guest-address.ts";
import { slotCountMax } from "../../../../simulator/vm-shelf.ts";

describe("the addresses of simulated guests", () => {
  it("differ for every Mac and slot, and are never the machine's own or the broadcast's", () => {
    const seen = new Set<string>();
    for (const index of [0, 1, 2, 255, macIndexMax - 1, macIndexMax]) {
      for (const slot of [1, 2, 255, 256, slotCountMax]) {
        const address = guestAddress(index, slot);
        assert.match(address, /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/);
        assert(address.split(".").every((part) => Number(part) <= 255));
        seen.add(address);
      }
    }
    assert.equal(seen.size, 30);
    assert(!seen.has("127.0.0.1") && !seen.has("127.255.255.255"));
    assert.equal(guestAddress(0, 1), "127.0.4.1");
  });
});
