#include "process.h"

#include <csignal>
#include <stdexcept>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

namespace eldergate::client
{

Process::Process(const std::vector<std::string> &command, int output)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) != 0)
		throw std::runtime_error("no pipe");
	std::vector<char *> words;
	for (const std::string &word : command)
		words.push_back(const_cast<char *>(word.c_str()));
	words.push_back(nullptr);
	posix_spawn_file_actions_t actions;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, ends[1], output);
	int failure = posix_spawn(&pid_, words[0], &actions, nullptr, words.data(), environ);
	posix_spawn_file_actions_destroy(&actions);
	close(ends[1]);
	output_ = fdopen(ends[0], "r");
	if (failure != 0 || !output_) {
		if (failure != 0)
			pid_ = 0;
		kill();
		if (output_)
			std::fclose(output_);
		else
			close(ends[0]);
		throw std::runtime_error("cannot start " + command[0]);
	}
}

Process::~Process()
{
	kill();
	std::fclose(output_);
}

bool Process::read_line(std::string *line)
{
	line->clear();
	int c;
	while ((c = std::getc(output_)) != EOF && c != '\n')
		line->push_back(static_cast<char>(c));
	return c != EOF;
}

void Process::halt()
{
	if (pid_ > 0)
		::kill(pid_, SIGSTOP);
}

void Process::kill()
{
	if (pid_ > 0) {
		::kill(pid_, SIGKILL);
		waitpid(pid_, nullptr, 0);
		pid_ = 0;
	}
}

} // namespace eldergate::client
