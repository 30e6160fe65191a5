// JSON: a tree of values, read and written.

/** What a value is. */
export enum Kind {
  Null,
  Boolean,
  Number,
  String,
  List,
  Object,
}

/** Lists and objects within each other; deeper ones are refused, because each level takes stack. */
const DEPTH = 128;

/** A JSON value. What isn't there, and what is asked for in the wrong kind, is null, 0, "" or empty: ask `has` and `kind` first. */
export class Value {
  kind: Kind = Kind.Null;
  /** A string's text, or a number as it was written. */
  text: string = "";
  /** What a list or object holds. */
  items: Value[] = [];
  /** An object's keys, in the order of its items. */
  keys: string[] = [];

  static string(text: string): Value {
    return plain(Kind.String, text);
  }

  static number(number: f64): Value {
    // JSON has no number for infinity; `3.0` is written as people write it.
    if (!isFinite(number)) return new Value();
    const whole = <i64>number;
    return plain(Kind.Number, <f64>whole == number && Math.abs(number) < 1e15 ? whole.toString() : number.toString());
  }

  static boolean(is: boolean): Value {
    return plain(Kind.Boolean, is ? "true" : "false");
  }

  static list(): Value {
    return plain(Kind.List, "");
  }

  static object(): Value {
    return plain(Kind.Object, "");
  }

  /** Adds an item to a list. */
  push(item: Value): Value {
    this.items.push(item);
    return this;
  }

  /** Adds a member to an object. */
  set(key: string, value: Value): Value {
    this.keys.push(key);
    this.items.push(value);
    return this;
  }

  has(key: string): boolean {
    return this.keys.includes(key);
  }

  /** A member, the last where a key comes twice. */
  get(key: string): Value {
    const index = this.keys.lastIndexOf(key);
    return index < 0 ? new Value() : this.items[index];
  }

  asString(): string {
    return this.kind == Kind.String ? this.text : "";
  }

  asNumber(): f64 {
    return this.kind == Kind.Number ? parseFloat(this.text) : 0;
  }

  asBoolean(): boolean {
    return this.kind == Kind.Boolean && this.text == "true";
  }

  /** The value as JSON. */
  toString(): string {
    const parts: string[] = [];
    writeInto(parts, this);
    return parts.join("");
  }
}

function plain(kind: Kind, text: string): Value {
  const value = new Value();
  value.kind = kind;
  value.text = text;
  return value;
}

function writeInto(parts: string[], value: Value): void {
  if (value.kind == Kind.Null) parts.push("null");
  else if (value.kind == Kind.String) parts.push(quoted(value.text));
  else if (value.kind == Kind.Number || value.kind == Kind.Boolean) parts.push(value.text);
  else {
    const isObject = value.kind == Kind.Object;
    parts.push(isObject ? "{" : "[");
    for (let index = 0; index < value.items.length; index++) {
      if (index) parts.push(",");
      if (isObject) parts.push(quoted(value.keys[index]) + ":");
      writeInto(parts, value.items[index]);
    }
    parts.push(isObject ? "}" : "]");
  }
}

function quoted(text: string): string {
  let written = '"';
  let plainFrom = 0;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code >= 0x20 && code != 0x22 && code != 0x5c) continue;
    written += text.substring(plainFrom, index);
    plainFrom = index + 1;
    if (code == 0x22 || code == 0x5c) written += "\\" + String.fromCharCode(code);
    else written += "\\u" + code.toString(16).padStart(4, "0");
  }
  return written + text.substring(plainFrom) + '"';
}

let source = "";
let at = 0;
let depth = 0;
let wrong = "";

/** Why the last document wasn't JSON. */
export function problem(): string {
  return `${wrong} at character ${at.toString()}`;
}

/** Reads a document; null where it isn't JSON. */
export function read(text: string): Value | null {
  source = text;
  at = 0;
  depth = 0;
  wrong = "";
  const value = readValue();
  skipSpace();
  if (value != null && at < source.length) return refuse("more text behind the value");
  return value;
}

function refuse(what: string): Value | null {
  if (!wrong.length) wrong = what;
  return null;
}

function peek(): i32 {
  return at < source.length ? source.charCodeAt(at) : -1;
}

function skipSpace(): void {
  for (let code = peek(); code == 0x20 || code == 0x0a || code == 0x0d || code == 0x09; code = peek()) at++;
}

function take(wanted: i32): boolean {
  skipSpace();
  if (peek() != wanted) return false;
  at++;
  return true;
}

function readValue(): Value | null {
  skipSpace();
  const code = peek();
  if (code == 0x7b) return readItems(Kind.Object, 0x7d);
  if (code == 0x5b) return readItems(Kind.List, 0x5d);
  if (code == 0x22) {
    at++;
    const text = readQuoted();
    return text == null ? null : Value.string(text);
  }
  if (code == 0x74) return readWord("true", Kind.Boolean);
  if (code == 0x66) return readWord("false", Kind.Boolean);
  if (code == 0x6e) return readWord("null", Kind.Null);
  return readNumber();
}

function readWord(word: string, kind: Kind): Value | null {
  if (source.substr(at, word.length) != word) return refuse("expected a value");
  at += word.length;
  return plain(kind, word);
}

function digits(): boolean {
  const from = at;
  while (peek() >= 0x30 && peek() <= 0x39) at++;
  return at > from;
}

function readNumber(): Value | null {
  const from = at;
  if (peek() == 0x2d) at++;
  if (peek() == 0x30) at++;
  else if (!digits()) return refuse("expected a value");
  if (peek() == 0x2e) {
    at++;
    if (!digits()) return refuse("a number ends in a point");
  }
  if (peek() == 0x65 || peek() == 0x45) {
    at++;
    if (peek() == 0x2b || peek() == 0x2d) at++;
    if (!digits()) return refuse("a number ends in its exponent's sign");
  }
  return plain(Kind.Number, source.substring(from, at));
}

function readQuoted(): string | null {
  let text = "";
  let from = at;
  while (true) {
    const code = peek();
    if (code < 0x20) {
      refuse(code < 0 ? "a string doesn't end" : "a control character in a string");
      return null;
    }
    if (code != 0x22 && code != 0x5c) {
      at++;
      continue;
    }
    text += source.substring(from, at++);
    if (code == 0x22) return text;
    const escaped = peek();
    at++;
    if (escaped == 0x75) {
      const hex = source.substr(at, 4);
      at += 4;
      for (let index = 0; index < 4; index++) {
        if (index >= hex.length || !"0123456789abcdefABCDEF".includes(hex.charAt(index))) {
          refuse("\\u needs four hexadecimal digits");
          return null;
        }
      }
      // Halves of a pair come one after the other, and are put together by being neighbours.
      text += String.fromCharCode(<i32>parseInt(hex, 16));
    } else {
      const index = escaped < 0 ? -1 : '"\\/bfnrt'.indexOf(String.fromCharCode(escaped));
      if (index < 0) {
        refuse("an unknown escape in a string");
        return null;
      }
      text += '"\\/\b\f\n\r\t'.charAt(index);
    }
    from = at;
  }
}

function readItems(kind: Kind, closing: i32): Value | null {
  at++;
  if (++depth > DEPTH) return refuse("lists and objects are nested too deeply");
  const list = plain(kind, "");
  if (!take(closing)) {
    do {
      if (kind == Kind.Object) {
        if (!take(0x22)) return refuse("expected a key in quotes");
        const key = readQuoted();
        if (key == null) return null;
        if (!take(0x3a)) return refuse("expected a colon behind a key");
        list.keys.push(key);
      }
      const item = readValue();
      if (item == null) return null;
      list.items.push(item);
    } while (take(0x2c));
    if (!take(closing)) return refuse("a list or object doesn't end");
  }
  depth--;
  return list;
}
