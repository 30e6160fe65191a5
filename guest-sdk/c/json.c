#include "json.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *need(void *memory) {
    // The host says that memory ran out; there is nothing to add.
    if (!memory) abort();
    return memory;
}

struct reader {
    const char *at, *end;
    const char *problem;
    int depth;
};

static const json *fail(struct reader *r, const char *problem) {
    if (!r->problem) r->problem = problem;
    return NULL;
}

static void skip_space(struct reader *r) {
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\n' || *r->at == '\r' || *r->at == '\t')) r->at++;
}

static bool take(struct reader *r, char wanted) {
    skip_space(r);
    if (r->at == r->end || *r->at != wanted) return false;
    r->at++;
    return true;
}

static json *new_value(enum json_kind kind) {
    json *value = need(calloc(1, sizeof *value));
    value->kind = kind;
    return value;
}

// Four hexadecimal digits, or -1.
static long read_hex(struct reader *r) {
    if (r->end - r->at < 4) return -1;
    long code = 0;
    for (int i = 0; i < 4; i++) {
        char c = *r->at++;
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0) return -1;
        code = code * 16 + digit;
    }
    return code;
}

static char *put_utf8(char *to, long code) {
    if (code < 0x80) {
        *to++ = (char)code;
    } else if (code < 0x800) {
        *to++ = (char)(0xc0 | code >> 6);
        *to++ = (char)(0x80 | (code & 0x3f));
    } else if (code < 0x10000) {
        *to++ = (char)(0xe0 | code >> 12);
        *to++ = (char)(0x80 | (code >> 6 & 0x3f));
        *to++ = (char)(0x80 | (code & 0x3f));
    } else {
        *to++ = (char)(0xf0 | code >> 18);
        *to++ = (char)(0x80 | (code >> 12 & 0x3f));
        *to++ = (char)(0x80 | (code >> 6 & 0x3f));
        *to++ = (char)(0x80 | (code & 0x3f));
    }
    return to;
}

// A character written as \uXXXX, or as two of them.
static char *read_escaped_code(struct reader *r, char *to) {
    long code = read_hex(r);
    if (code < 0) return (void)fail(r, "\\u needs four hexadecimal digits"), NULL;
    if (code >= 0xd800 && code < 0xdc00) {
        long low = -1;
        if (r->end - r->at >= 6 && r->at[0] == '\\' && r->at[1] == 'u') {
            r->at += 2;
            low = read_hex(r);
        }
        if (low < 0xdc00 || low > 0xdfff) return (void)fail(r, "half of a surrogate pair"), NULL;
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    } else if (code >= 0xdc00 && code < 0xe000) {
        return (void)fail(r, "half of a surrogate pair"), NULL;
    }
    return put_utf8(to, code);
}

// What stands between quotes; `at` is behind the first one.
static char *read_quoted(struct reader *r, size_t *length) {
    const char *closing = r->at;
    while (closing < r->end && *closing != '"') closing += *closing == '\\' ? 2 : 1;
    if (closing >= r->end) return (void)fail(r, "a string doesn't end"), NULL;
    // What is escaped is never longer than its escape.
    char *text = need(malloc((size_t)(closing - r->at) + 1)), *to = text;
    while (*r->at != '"') {
        unsigned char c = (unsigned char)*r->at++;
        if (c < 0x20) return (void)fail(r, "a control character in a string"), NULL;
        if (c != '\\') {
            *to++ = (char)c;
            continue;
        }
        char escaped = *r->at++;
        switch (escaped) {
        case '"': case '\\': case '/': *to++ = escaped; break;
        case 'b': *to++ = '\b'; break;
        case 'f': *to++ = '\f'; break;
        case 'n': *to++ = '\n'; break;
        case 'r': *to++ = '\r'; break;
        case 't': *to++ = '\t'; break;
        case 'u':
            if (!(to = read_escaped_code(r, to))) return NULL;
            break;
        default: return (void)fail(r, "an unknown escape in a string"), NULL;
        }
    }
    r->at++;
    *to = 0;
    *length = (size_t)(to - text);
    return text;
}

static const json *read_string(struct reader *r) {
    json *value = new_value(JSON_STRING);
    value->text = read_quoted(r, &value->length);
    return value->text ? value : NULL;
}

static bool digits(struct reader *r) {
    const char *start = r->at;
    while (r->at < r->end && *r->at >= '0' && *r->at <= '9') r->at++;
    return r->at > start;
}

static const json *read_number(struct reader *r) {
    const char *start = r->at;
    if (r->at < r->end && *r->at == '-') r->at++;
    if (r->at < r->end && *r->at == '0') r->at++;
    else if (!digits(r)) return fail(r, "expected a value");
    if (r->at < r->end && *r->at == '.' && (r->at++, !digits(r))) return fail(r, "a number ends in a point");
    if (r->at < r->end && (*r->at == 'e' || *r->at == 'E')) {
        r->at++;
        if (r->at < r->end && (*r->at == '+' || *r->at == '-')) r->at++;
        if (!digits(r)) return fail(r, "a number ends in its exponent's sign");
    }
    json *value = new_value(JSON_NUMBER);
    value->length = (size_t)(r->at - start);
    char *text = need(malloc(value->length + 1));
    memcpy(text, start, value->length);
    text[value->length] = 0;
    value->text = text;
    value->number = strtod(text, NULL);
    return value;
}

static const json *read_word(struct reader *r, const char *word, enum json_kind kind) {
    size_t length = strlen(word);
    if ((size_t)(r->end - r->at) < length || memcmp(r->at, word, length)) return fail(r, "expected a value");
    r->at += length;
    json *value = new_value(kind);
    value->boolean = *word == 't';
    return value;
}

static const json *read_value(struct reader *r);

static const json *read_items(struct reader *r, enum json_kind kind) {
    char closing = kind == JSON_OBJECT ? '}' : ']';
    json *list = new_value(kind);
    const json **link = &list->first;
    if (take(r, closing)) return list;
    do {
        const char *key = NULL;
        if (kind == JSON_OBJECT) {
            size_t length;
            if (!take(r, '"')) return fail(r, "expected a key in quotes");
            if (!(key = read_quoted(r, &length))) return NULL;
            if (!take(r, ':')) return fail(r, "expected a colon behind a key");
        }
        // Ours still, whatever the reader of documents is given.
        json *item = (json *)read_value(r);
        if (!item) return NULL;
        item->key = key;
        *link = item;
        link = &item->next;
        list->count++;
    } while (take(r, ','));
    if (!take(r, closing)) return fail(r, "an array or object doesn't end");
    return list;
}

static const json *read_nested(struct reader *r, enum json_kind kind) {
    r->at++;
    if (++r->depth > JSON_DEPTH) return fail(r, "arrays and objects are nested too deeply");
    const json *value = read_items(r, kind);
    r->depth--;
    return value;
}

static const json *read_value(struct reader *r) {
    skip_space(r);
    if (r->at == r->end) return fail(r, "the text ends too early");
    switch (*r->at) {
    case '{': return read_nested(r, JSON_OBJECT);
    case '[': return read_nested(r, JSON_ARRAY);
    case '"': r->at++; return read_string(r);
    case 't': return read_word(r, "true", JSON_BOOLEAN);
    case 'f': return read_word(r, "false", JSON_BOOLEAN);
    case 'n': return read_word(r, "null", JSON_NULL);
    default: return read_number(r);
    }
}

const json *json_read(const char *text, size_t length, const char **problem) {
    struct reader r = {.at = text, .end = text + length};
    const json *value = read_value(&r);
    skip_space(&r);
    if (value && r.at < r.end) value = fail(&r, "more text behind the value");
    if (problem) *problem = r.problem;
    return value;
}

const json *json_get(const json *object, const char *key) {
    const json *found = NULL;
    if (!object || object->kind != JSON_OBJECT) return NULL;
    for (const json *member = object->first; member; member = member->next)
        if (!strcmp(member->key, key)) found = member;
    return found;
}

const char *json_kind_name(const json *value) {
    static const char *const names[] = {"null", "boolean", "number", "string", "array", "object"};
    return value ? names[value->kind] : "nothing";
}

static void put(json_writer *out, const char *bytes, size_t length) {
    if (out->room - out->length < length) {
        size_t room = out->room * 2 > out->length + length ? out->room * 2 : out->length + length + 256;
        out->text = need(realloc(out->text, room));
        out->room = room;
    }
    memcpy(out->text + out->length, bytes, length);
    out->length += length;
}

static void put_value(json_writer *out, const char *bytes, size_t length) {
    if (out->comma) put(out, ",", 1);
    put(out, bytes, length);
    out->comma = true;
}

static void open(json_writer *out, bool is_object) {
    // Writing deeper than can be read is a bug of the task.
    if (out->depth == JSON_DEPTH) abort();
    put_value(out, is_object ? "{" : "[", 1);
    out->is_object[out->depth++] = is_object;
    out->comma = false;
}

void json_object(json_writer *out) { open(out, true); }

void json_array(json_writer *out) { open(out, false); }

void json_end(json_writer *out) {
    if (out->depth == 0) abort();
    put(out, out->is_object[--out->depth] ? "}" : "]", 1);
    out->comma = true;
}

void json_key(json_writer *out, const char *key) {
    json_string(out, key);
    put(out, ":", 1);
    out->comma = false;
}

void json_string(json_writer *out, const char *text) { json_text(out, text, strlen(text)); }

void json_text(json_writer *out, const char *text, size_t length) {
    put_value(out, "\"", 1);
    const char *plain = text, *end = text + length;
    for (const char *at = text; at < end; at++) {
        unsigned char c = (unsigned char)*at;
        if (c >= 0x20 && c != '"' && c != '\\') continue;
        put(out, plain, (size_t)(at - plain));
        plain = at + 1;
        char escape[8];
        const char *named = c ? strchr("\bb\ff\nn\rr\tt", c) : NULL;
        if (c == '"' || c == '\\') snprintf(escape, sizeof escape, "\\%c", c);
        else if (named) snprintf(escape, sizeof escape, "\\%c", named[1]);
        else snprintf(escape, sizeof escape, "\\u%04x", c);
        put(out, escape, strlen(escape));
    }
    put(out, plain, (size_t)(end - plain));
    put(out, "\"", 1);
}

void json_number(json_writer *out, double number) {
    char text[32];
    if (!isfinite(number)) {
        json_null(out);
        return;
    }
    for (int precision = 15; precision <= 17; precision++) {
        snprintf(text, sizeof text, "%.*g", precision, number);
        if (strtod(text, NULL) == number) break;
    }
    put_value(out, text, strlen(text));
}

void json_integer(json_writer *out, long long number) {
    char text[24];
    snprintf(text, sizeof text, "%lld", number);
    put_value(out, text, strlen(text));
}

void json_boolean(json_writer *out, bool boolean) { put_value(out, boolean ? "true" : "false", boolean ? 4 : 5); }

void json_null(json_writer *out) { put_value(out, "null", 4); }

void json_copy(json_writer *out, const json *value) {
    switch (value->kind) {
    case JSON_NULL: json_null(out); break;
    case JSON_BOOLEAN: json_boolean(out, value->boolean); break;
    case JSON_NUMBER: put_value(out, value->text, value->length); break;
    case JSON_STRING: json_text(out, value->text, value->length); break;
    case JSON_ARRAY: case JSON_OBJECT:
        open(out, value->kind == JSON_OBJECT);
        for (const json *item = value->first; item; item = item->next) {
            if (value->kind == JSON_OBJECT) json_key(out, item->key);
            json_copy(out, item);
        }
        json_end(out);
        break;
    }
}
