/* otabench explore --closure: a command of its own in all but name. */
#ifndef OTABENCH_CLI_CMD_EXPLORE_CLOSURE_H
#define OTABENCH_CLI_CMD_EXPLORE_CLOSURE_H

int cmd_explore_closure(int argc, char **argv);

#endif
