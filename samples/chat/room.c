#include "samples/chat/room.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/ws.h>

#include "samples/chat/history.h"
#include "samples/chat/message.h"

/* What one member may cost the others. */
enum {
  kMaxMembers = 1000,
  kMaxMessageLen = 16 * 1024,
  /* One who is further behind is dropped. More than the history, whose bytes may be escaped. */
  kMaxUnsentLen = 1024 * 1024,
  kMaxPerSecond = 10,
};
static const struct timeval kPingInterval = {30, 0};

struct member {
  struct member *next;
  struct room *room;
  struct evws_connection *evws;
  time_t second; /* in which `num_said` messages came */
  int num_said;
  char name[kMaxNameLen + 1]; /* empty before joining */
};

struct room {
  struct member *members;
  size_t num_members;
  struct history history;
  void (*emptied)(void *); /* NULL while open */
  void *emptied_arg;
};

/* ---- Messages ---- */

/* An object, begun with its type. NULL when memory is short. */
static struct evbuffer *begin(const char *type) {
  struct evbuffer *line = evbuffer_new();
  if (line != NULL) evbuffer_add_printf(line, "{\"type\":\"%s\"", type);
  return line;
}

static void add_member(struct evbuffer *line, const char *key, const char *text) {
  if (line == NULL) return;
  evbuffer_add_printf(line, ",\"%s\":", key);
  message_add_string(line, text);
}

static void add_number(struct evbuffer *line, const char *key, long long number) {
  if (line != NULL) evbuffer_add_printf(line, ",\"%s\":%lld", key, number);
}

/* Ends the object. The text lives as long as the buffer. */
static const char *end(struct evbuffer *line) {
  if (line == NULL || evbuffer_add(line, "}", 2) != 0) return NULL;
  return (const char *)evbuffer_pullup(line, -1);
}

static void discard(struct evbuffer *line) {
  if (line != NULL) evbuffer_free(line);
}

/* ---- Members ---- */

static void send_to(struct member *member, const char *line) {
  if (evws_connection_get_output_length(member->evws) > kMaxUnsentLen)
    evws_close_with_reason(member->evws, WS_CR_POLICY, "too slow");
  else
    evws_send_text(member->evws, line);
}

static void send_to_all(struct room *room, const char *line) {
  if (line == NULL) return;
  for (struct member *member = room->members; member != NULL; member = member->next)
    if (member->name[0] != '\0') send_to(member, line);
}

static size_t num_joined(const struct room *room) {
  size_t num = 0;
  for (struct member *member = room->members; member != NULL; member = member->next)
    num += member->name[0] != '\0';
  return num;
}

static void announce(struct room *room, const char *what, const char *name) {
  struct evbuffer *line = begin(what);
  add_member(line, "name", name);
  add_number(line, "count", (long long)num_joined(room));
  send_to_all(room, end(line));
  discard(line);
}

static void complain(struct member *member, const char *text) {
  struct evbuffer *line = begin("trouble");
  add_member(line, "text", text);
  const char *json = end(line);
  if (json != NULL) send_to(member, json);
  discard(line);
}

static int is_taken(const struct room *room, const char *name) {
  for (const struct member *member = room->members; member != NULL; member = member->next)
    if (strcmp(member->name, name) == 0) return 1;
  return 0;
}

static void welcome(struct member *member) {
  struct room *room = member->room;
  struct evbuffer *line = begin("welcome");
  add_member(line, "name", member->name);
  const char *json = end(line);
  if (json != NULL) send_to(member, json);
  discard(line);
  for (size_t i = 0; i < room->history.num_lines; i++)
    send_to(member, history_get(&room->history, i));
}

static void join(struct member *member, const char *name) {
  if (member->name[0] != '\0') return;
  if (name[0] == '\0' || name[strspn(name, " ")] == '\0') {
    complain(member, "Please choose a name.");
  } else if (is_taken(member->room, name)) {
    complain(member, "Somebody else has that name already.");
  } else {
    snprintf(member->name, sizeof(member->name), "%s", name);
    welcome(member);
    announce(member->room, "joined", member->name);
  }
}

static int is_too_fast(struct member *member) {
  time_t now = time(NULL);
  if (member->second != now) member->num_said = 0;
  member->second = now;
  return ++member->num_said > kMaxPerSecond;
}

static void say(struct member *member, const char *text) {
  if (member->name[0] == '\0' || text[0] == '\0') return;
  if (is_too_fast(member)) {
    complain(member, "Not so fast, please.");
    return;
  }
  struct evbuffer *line = begin("said");
  add_member(line, "name", member->name);
  add_member(line, "text", text);
  add_number(line, "time", (long long)time(NULL));
  const char *json = end(line);
  if (json != NULL) history_add(&member->room->history, json);
  send_to_all(member->room, json);
  discard(line);
}

/* ---- What sessions tell ---- */

static void on_message(struct evws_connection *evws, int type, const unsigned char *data,
                       size_t len, void *arg) {
  struct member *member = arg;
  struct message message;
  if (type != WS_TEXT_FRAME) {
    evws_close_with_reason(evws, WS_CR_UNSUPPORTED, "text only");
  } else if (message_parse((const char *)data, len, &message) != 0) {
    complain(member, "That was too long, or not understood.");
  } else if (strcmp(message.type, "join") == 0) {
    join(member, message.name);
  } else if (strcmp(message.type, "say") == 0) {
    say(member, message.text);
  }
}

static void on_close(struct evws_connection *evws, void *arg) {
  struct member *member = arg, **link = &member->room->members;
  struct room *room = member->room;
  (void)evws;
  while (*link != member) link = &(*link)->next;
  *link = member->next;
  room->num_members--;
  if (member->name[0] != '\0') announce(room, "left", member->name);
  free(member);
  if (room->num_members == 0 && room->emptied != NULL) room->emptied(room->emptied_arg);
}

/* A page of another site could speak with its reader's address and cookies: a browser says where
 * the page is from. */
static int is_from_here(struct evhttp_request *req) {
  const char *origin = evhttp_find_header(evhttp_request_get_input_headers(req), "Origin");
  const char *host = evhttp_find_header(evhttp_request_get_input_headers(req), "Host");
  const char *authority = origin != NULL ? strstr(origin, "://") : NULL;
  if (origin == NULL) return 1; /* no browser */
  return authority != NULL && host != NULL && strcmp(authority + 3, host) == 0;
}

void room_on_request(struct evhttp_request *req, void *arg) {
  struct room *room = arg;
  if (evws_is_handshake(req) && !is_from_here(req)) {
    evhttp_send_error(req, 403, NULL);
    return;
  }
  struct member *member = room->num_members < kMaxMembers ? calloc(1, sizeof(*member)) : NULL;
  if (member == NULL) {
    evhttp_send_error(req, HTTP_SERVUNAVAIL, NULL);
    return;
  }
  member->room = room;
  member->evws = evws_new_session(req, on_message, member, 0);
  if (member->evws == NULL) {
    free(member);
    return;
  }
  evws_connection_set_closecb(member->evws, on_close, member);
  evws_connection_set_max_message_size(member->evws, kMaxMessageLen);
  evws_connection_set_ping_interval(member->evws, &kPingInterval);
  member->next = room->members;
  room->members = member;
  room->num_members++;
}

/* ---- The room ---- */

struct room *room_new(void) {
  return calloc(1, sizeof(struct room));
}

void room_free(struct room *room) {
  if (room == NULL) return;
  history_clear(&room->history);
  free(room);
}

void room_close(struct room *room, void (*emptied)(void *), void *arg) {
  room->emptied = emptied;
  room->emptied_arg = arg;
  for (struct member *member = room->members; member != NULL; member = member->next)
    evws_close_with_reason(member->evws, WS_CR_GOING_AWAY, "the server stops");
}

size_t room_num_members(const struct room *room) {
  return room->num_members;
}
