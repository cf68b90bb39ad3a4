import assert from "node:assert/strict";
import * as fc from "fast-check";
import type { SealedText } from "../../../../server/pool/sealed.ts";
import { keyIdOf, SecretBox, type SecretPlace } from "../../../../server/secrets/secret-box.ts";
import { makeKeyText, parseKeys } from "../../../../server/secrets/secret-key.ts";
import { testKeys } from "../../../support/secrets/test-secrets.ts";

const place: SecretPlace = { kind: "catalog", id: "main", field: "credentials" };
const places = fc.record({ kind: fc.string(), id: fc.string(), field: fc.string() });

function newBox(): SecretBox {
  return new SecretBox(testKeys(makeKeyText()));
}

describe("a sealed secret", () => {
  it("opens in its place, whatever it is", () => {
    const box = newBox();
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), places, (secret, at) => {
        assert.deepEqual(box.open(at, box.seal(at, secret)), { secret });
      }),
    );
  });

  it("opens in no other place", () => {
    const box = newBox();
    fc.assert(
      fc.property(places, places, (at, elsewhere) => {
        fc.pre(JSON.stringify(at) !== JSON.stringify(elsewhere));
        assert.deepEqual(box.open(elsewhere, box.seal(at, "secret")), { fault: "altered" });
      }),
    );
  });

  it("does not open when a character of it was altered, is missing, or was added", () => {
    const box = newBox();
    const sealed = box.seal(place, "secret");
    const start = sealed.lastIndexOf(".") + 1;
    const bytes = Buffer.from(sealed.slice(start), "base64url");
    const withBytes = (altered: Uint8Array): SealedText =>
      `${sealed.slice(0, start)}${Buffer.from(altered).toString("base64url")}` as SealedText;
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, mask) => {
        const altered = Uint8Array.from(bytes, (byte, index) => (index === at ? byte ^ mask : byte));
        assert.deepEqual(box.open(place, withBytes(altered)), { fault: "altered" });
        assert.deepEqual(box.open(place, withBytes(bytes.subarray(0, at))), { fault: "altered" });
        assert.deepEqual(box.open(place, withBytes(Buffer.concat([bytes, bytes.subarray(0, at + 1)]))), {
          fault: "altered",
        });
      }),
    );
    fc.assert(
      fc.property(fc.string(), (text) => {
        assert.ok("fault" in box.open(place, text as SealedText));
      }),
    );
  });

  it("is another each time, and shows nothing of the secret", () => {
    const box = newBox();
    const texts = Array.from({ length: 100 }, () => box.seal(place, "the same secret"));
    assert.equal(new Set(texts).size, 100);
    for (const text of texts) assert.ok(!text.includes("secret") && !text.includes(btoa("secret").slice(0, 6)));
  });

  it("needs the key that it names, and says which", () => {
    const [before, after] = [testKeys(makeKeyText()), testKeys(makeKeyText())];
    const sealed = new SecretBox(before).seal(place, "secret");
    assert.equal(keyIdOf(sealed), before[0]?.id);
    const box = new SecretBox(after);
    assert.deepEqual(box.open(place, sealed), { fault: "key-missing" });
    box.use([...after, ...before]);
    assert.deepEqual(box.open(place, sealed), { secret: "secret" });
    assert.equal(box.isCurrent(sealed), false);
    assert.equal(box.isCurrent(box.seal(place, "secret")), true);
  });
});

describe("a secret's digest", () => {
  it("is the same for the same secret, and cannot be made without the key", () => {
    const [box, other] = [newBox(), newBox()];
    assert.equal(box.digest("secret"), box.digest("secret"));
    assert.notEqual(box.digest("secret"), box.digest("secrets"));
    assert.notEqual(box.digest("secret"), other.digest("secret"));
  });
});

describe("keys as text", () => {
  it("are read from lines and words, without comments and repetitions", () => {
    const texts = [makeKeyText(), makeKeyText(), makeKeyText()];
    const [first = "", second = "", third = ""] = texts;
    const read = testKeys(`# a comment ${makeKeyText()}\n${first}\n ${second},${third}\n\n${first}\n`);
    assert.deepEqual(
      read.map(({ id }) => id),
      texts.map((text) => testKeys(text)[0]?.id),
    );
  });

  it("are refused when one is no key, and the refusal shows nothing of it", () => {
    const key = makeKeyText();
    for (const text of ["", "# nothing", key.slice(0, -1), `${key}A`, key.replace("msk1", "mst1"), `${key} word`]) {
      const result = parseKeys(text);
      assert.ok("problem" in result, text);
      assert.ok(!result.problem.includes(key.slice(6, 12)));
    }
  });
});
