#ifndef STRATA_LOOP_ATTACHMENT_H_
#define STRATA_LOOP_ATTACHMENT_H_

struct event_base;

/* What a layer above keeps for each base (a pool, a table), without the loop knowing what it is.
 * The address of any static object of the layer serves as its key. */

#define EVENT_BASE_MAX_ATTACHMENTS 4

struct event_base_attachment {
  const void *key;
  void *data;
  void (*release)(void *data);
};

struct event_base_attachments {
  struct event_base_attachment entries[EVENT_BASE_MAX_ATTACHMENTS];
  int num_entries;
};

/* Returns the data under `key`, calling make() for it the first time; NULL when make() did. The
 * base calls release(data) when it is freed, after everything else. */
void *event_base_get_attachment(struct event_base *base, const void *key, void *(*make)(void),
                                void (*release)(void *data));

#endif
