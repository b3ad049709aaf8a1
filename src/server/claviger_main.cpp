/// The one program: the command line, with the commands that need the whole server behind it.

#include "cli/cli.h"
#include "server/server.h"

int main(int argc, char** argv) {
  using namespace claviger;
  return cli::run(argc, argv,
                  {.serve =
                       [](const cli::ServeArguments& arguments) {
                         return server::serve({.home = arguments.home,
                                               .listen = arguments.listen,
                                               .behind_tls_proxy = arguments.behind_tls_proxy});
                       },
                   .init =
                       [](const cli::InitArguments& arguments) {
                         return server::init({.home = arguments.home,
                                              .default_limit = arguments.default_limit,
                                              .as_json = arguments.as_json});
                       },
                   .restore =
                       [](const cli::RestoreArguments& arguments) {
                         return server::restore({.home = arguments.home,
                                                 .file = arguments.file,
                                                 .spent_since = arguments.spent_since,
                                                 .as_json = arguments.as_json});
                       },
                   .check_config =
                       [](const cli::CheckConfigArguments& arguments) {
                         return server::check_config_file(
                             {.home = arguments.home, .as_json = arguments.as_json});
                       }});
}
