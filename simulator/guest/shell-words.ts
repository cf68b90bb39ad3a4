/** Splits a command line into words as a shell does: blanks, quotes and backslashes; nothing is expanded. */
export function splitWords(commandLine: string): readonly string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote = "";
  for (let at = 0; at < commandLine.length; at += 1) {
    const character = commandLine.charAt(at);
    if (quote !== "") {
      if (character === quote) quote = "";
      else if (quote === '"' && character === "\\" && /["\\$`]/.test(commandLine.charAt(at + 1))) {
        at += 1;
        word = `${word ?? ""}${commandLine.charAt(at)}`;
      } else word = `${word ?? ""}${character}`;
    } else if (character === "'" || character === '"') {
      quote = character;
      word ??= "";
    } else if (character === "\\") {
      at += 1;
      word = `${word ?? ""}${commandLine.charAt(at)}`;
    } else if (/\s/.test(character)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else word = `${word ?? ""}${character}`;
  }
  if (word !== undefined) words.push(word);
  return words;
}
