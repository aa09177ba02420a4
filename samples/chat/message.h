#ifndef SAMPLES_CHAT_MESSAGE_H_
#define SAMPLES_CHAT_MESSAGE_H_

#include <event2/buffer.h>

/* What goes over the wire, both ways: one JSON object a message, such as
 *
 *   {"type":"say","name":"Ada","text":"Hello"}
 *
 * From the page: join (name) and say (text). To it: welcome (name), said (name, text, time), joined
 * and left (name, count), trouble (text). */

enum { kMaxNameLen = 32, kMaxTextLen = 2000 };

struct message {
  char type[16];
  char name[kMaxNameLen + 1];
  char text[kMaxTextLen + 1];
};

/* Reads an object of strings and numbers; members other than those above are skipped. Escapes are
 * replaced by what they stand for. 0, or -1 when it is not one, or too long. */
int message_parse(const char *json, size_t len, struct message *out_message);

/* Appends a string with its quotes, so that it is JSON and cannot end an HTML element either. */
void message_add_string(struct evbuffer *buffer, const char *text);

#endif
