#ifndef SAMPLES_CHAT_ROOM_H_
#define SAMPLES_CHAT_ROOM_H_

#include <event2/event.h>
#include <event2/http.h>

struct room;

/* A place where everybody hears what anybody says. NULL when memory is short. */
struct room *room_new(void);

/* After the server, whose connections its members are. */
void room_free(struct room *room);

/* For evhttp_set_cb(), the argument is the room: makes whoever asks a member. */
void room_on_request(struct evhttp_request *req, void *room);

/* Says good-bye to all members; `emptied` is called when the last one has gone. */
void room_close(struct room *room, void (*emptied)(void *), void *arg);

size_t room_num_members(const struct room *room);

#endif
