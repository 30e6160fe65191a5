// JSON: reading into a tree, writing piece by piece.
//
// Nothing is freed. A task's instance lives for one call, and its memory goes with it.

#ifndef SANDSTEP_JSON_H
#define SANDSTEP_JSON_H

#include <stdbool.h>
#include <stddef.h>

enum json_kind { JSON_NULL, JSON_BOOLEAN, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

// A value that was read.
typedef struct json {
    enum json_kind kind;
    bool boolean;
    double number;
    // A string in UTF-8, with a NUL behind it; or a number as it was written.
    const char *text;
    size_t length;
    // What an array or object holds:
    //     for (const struct json *line = lines->first; line; line = line->next)
    const struct json *first;
    size_t count;
    // What follows in the same array or object, and the key of an object's member.
    const struct json *next;
    const char *key;
} json;

// Arrays and objects within each other; deeper ones are refused, because each level takes stack.
#define JSON_DEPTH 128

// Reads a document; NULL where it isn't JSON, and then `problem` says why.
const json *json_read(const char *text, size_t length, const char **problem);

// A member of an object, the last where a key comes twice; NULL where there is none, or no object.
const json *json_get(const json *object, const char *key);

// A word for a kind, as messages use it.
const char *json_kind_name(const json *value);

// What is being written. Commas are put in by themselves.
typedef struct json_writer {
    char *text;
    size_t length, room;
    bool comma;
    // Which of the open brackets are objects, innermost last.
    size_t depth;
    bool is_object[JSON_DEPTH];
} json_writer;

void json_object(json_writer *out);
void json_array(json_writer *out);
// Closes the object or array opened last.
void json_end(json_writer *out);
// A member's key; its value comes next.
void json_key(json_writer *out, const char *key);
void json_string(json_writer *out, const char *text);
void json_text(json_writer *out, const char *text, size_t length);
// As short as it can be without losing anything; what JSON has no number for, infinity say, is null.
void json_number(json_writer *out, double number);
void json_integer(json_writer *out, long long number);
void json_boolean(json_writer *out, bool boolean);
void json_null(json_writer *out);
// A value that was read, unchanged.
void json_copy(json_writer *out, const json *value);

#endif
