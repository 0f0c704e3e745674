// process: a program that runs beside the tests, one of whose outputs they read.
#ifndef ELDERGATE_CLIENT_PROCESS_H
#define ELDERGATE_CLIENT_PROCESS_H

#include <cstdio>
#include <string>
#include <vector>

#include <sys/types.h>

namespace eldergate::client
{

class Process
{
      public:
	// Starts it; output: the descriptor that read_line reads, 1 or 2. Throws std::runtime_error.
	Process(const std::vector<std::string> &command, int output);
	// Kills it.
	~Process();
	Process(const Process &) = delete;
	Process &operator=(const Process &) = delete;

	// Without its line end; false: the output has ended. Thread: one at a time.
	bool read_line(std::string *line);
	void kill();
	// It stands still, and does not know.
	void halt();

      private:
	pid_t pid_ = 0; // 0: it is gone
	std::FILE *output_ = nullptr;
};

} // namespace eldergate::client

#endif
