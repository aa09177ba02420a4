/*
 * httpd: serves a directory over HTTP.
 *
 *   options       the command line
 *   server        signals, the log, and the way to stop
 *   loops         the loops that serve: the main thread's, or several with threads of their own
 *   worker        what each of them has for itself
 *   site          the answer to one request, put together from
 *     request_path  the URI's path, decoded and checked
 *     document      a file below the root, opened so that no path leads out of it
 *       windows_name  what Windows takes for something else than a file
 *     validators    ETag and Last-Modified, and the conditions that a request makes on them
 *     range         the Range header
 *     content_type  the media type of a name
 *     coding        whether the client wants gzip
 *     gzip_reply    a body compressed as it leaves (gzip_reply_none where there is no zlib)
 *     status_page   what the server has done so far
 *     listing       the page for a directory, from
 *       directory     what is in it
 *       names         a list of names
 *   transfers     the replies under way
 *   counters      how many there were, of each loop
 *   access_log    who asked for what
 *
 * All of it uses the public API only, and runs on libevent 2.1 as well, there with one thread.
 */
#include "samples/httpd/options.h"
#include "samples/httpd/server.h"

int main(int argc, char **argv) {
  struct options options;
  switch (options_parse(argc, argv, &options)) {
    case OPTIONS_HELP:
      return 0;
    case OPTIONS_BAD:
      return 2;
    default:
      return server_run(&options) == 0 ? 0 : 1;
  }
}
