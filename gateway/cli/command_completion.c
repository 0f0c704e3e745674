/* command_completion: `eldergate completion bash`: completion for the shell, written out of the same tables
 * that run the commands, so that it knows every noun, verb and option there is. */
#include "cli/commands.h"

#include "model/record.h"

#include <stdio.h>
#include <string.h>

/* The part that looks at the command line. Bash takes ':' and '=' for ends of words; they are put together
 * again. _eldergate_table, _eldergate_verbs and _eldergate_nouns come before it. */
static const char script[] =
        "_eldergate_value() { # of an option's kind: file, directory, section, or anything\n"
        "\tcase $1 in\n"
        "\tf) mapfile -t COMPREPLY < <(compgen -f -- \"$2\"); compopt -o filenames 2>/dev/null ;;\n"
        "\td) mapfile -t COMPREPLY < <(compgen -d -- \"$2\"); compopt -o filenames 2>/dev/null ;;\n"
        "\ts) mapfile -t COMPREPLY < <(compgen -W \"$_eldergate_sections\" -- \"$2\") ;;\n"
        "\tesac\n"
        "}\n"
        "_eldergate() {\n"
        "\tlocal cur=${COMP_WORDS[COMP_CWORD]} noun= verb= option= glue= table= word i\n"
        "\tlocal -a words=()\n"
        "\tCOMPREPLY=()\n"
        "\tfor ((i = 1; i <= COMP_CWORD; i++)); do\n"
        "\t\tword=${COMP_WORDS[i]}\n"
        "\t\tif [[ ${#words[@]} -gt 0 && ( $glue || $word == [:=] ) ]]; then\n"
        "\t\t\twords[-1]+=$word\n"
        "\t\t\tglue=\n"
        "\t\t\t[[ $word == [:=] ]] && glue=1\n"
        "\t\telse\n"
        "\t\t\twords+=(\"$word\")\n"
        "\t\tfi\n"
        "\tdone\n"
        "\t[[ $cur == [:=] ]] && cur=\n"
        "\tfor ((i = 0; i < ${#words[@]} - 1; i++)); do\n"
        "\t\tword=${words[i]}\n"
        "\t\tif [[ $option ]]; then option=; continue; fi\n"
        "\t\tcase $word in\n"
        "\t\thelp) [[ $noun ]] && verb=${verb:-help} ;;\n"
        "\t\t--*=*) ;;\n"
        "\t\t--*) table=\" $(_eldergate_table \"$noun $verb\") \"\n"
        "\t\t\t[[ $table == *\" $word=\"* ]] && option=$word ;;\n"
        "\t\t*) if [[ ! $noun ]]; then noun=$word; elif [[ ! $verb ]]; then verb=$word; fi\n"
        "\t\t\t[[ $(_eldergate_table \"$noun \") == *\" .\" ]] && verb=${verb:-.} ;;\n"
        "\t\tesac\n"
        "\tdone\n"
        "\t[[ $verb == . ]] && verb=\n"
        "\ttable=\" $(_eldergate_table \"$noun $verb\") \"\n"
        "\tword=${words[-1]-}\n"
        "\t[[ $word == --*=* ]] && option=${word%%=*}\n"
        "\tif [[ $option ]]; then\n"
        "\t\ttable=${table#*\" $option=\"}\n"
        "\t\t_eldergate_value \"${table%% *}\" \"$cur\"\n"
        "\telif [[ $word == -* ]]; then\n"
        "\t\tfor i in $table; do [[ $i == --* ]] && COMPREPLY+=(\"${i%%=*}\"); done\n"
        "\t\tmapfile -t COMPREPLY < <(compgen -W \"${COMPREPLY[*]} --help\" -- \"$cur\")\n"
        "\telif [[ ! $noun ]]; then\n"
        "\t\tmapfile -t COMPREPLY < <(compgen -W \"$_eldergate_nouns help\" -- \"$cur\")\n"
        "\telif [[ $table == *\" @f \"* ]]; then\n"
        "\t\t_eldergate_value f \"$cur\"\n"
        "\telif [[ ! $verb ]]; then\n"
        "\t\tmapfile -t COMPREPLY < <(compgen -W \"$(_eldergate_verbs \"$noun\")\" -- \"$cur\")\n"
        "\tfi\n"
        "}\n"
        "complete -F _eldergate eldergate\n";

static void put_options(const struct option *o, unsigned n)
{
	for (unsigned i = 0; i < n && o[i].name; i++) {
		const char *v = o[i].value;
		printf(" --%s%s", o[i].name,
		       !v                          ? ""
		       : strcmp(v, "FILE") == 0    ? "=f"
		       : strcmp(v, "DIR") == 0     ? "=d"
		       : strcmp(v, "SECTION") == 0 ? "=s"
		                                   : "=x");
	}
}

/* A line of a case statement for each command: its options, @f if it takes files, . if it has no verb. */
static void put_table(void)
{
	printf("_eldergate_table() {\n\tcase $1 in\n");
	for (unsigned i = 0; i < n_commands; i++) {
		const struct command *k = &commands[i];
		printf("\t\"%s %s\") printf %%s '", k->noun, k->verb);
		put_options(k->options, OPTIONS_MAX);
		put_options(global_options, n_global_options);
		printf("%s%s' ;;\n", strncmp(k->arguments, "FILE", 4) == 0 ? " @f" : "",
		       *k->verb ? "" : " .");
	}
	printf("\t*) printf %%s '");
	put_options(global_options, n_global_options);
	printf("' ;;\n\tesac\n}\n");
}

static bool first_of_noun(unsigned i)
{
	for (unsigned k = 0; k < i; k++)
		if (strcmp(commands[k].noun, commands[i].noun) == 0)
			return false;
	return true;
}

static void put_words(void)
{
	printf("_eldergate_nouns='");
	for (unsigned i = 0; i < n_commands; i++)
		if (first_of_noun(i))
			printf(" %s", commands[i].noun);
	printf("'\n_eldergate_sections='");
	for (int s = 1; s < EG_SECTION_END; s++)
		printf(" %s", eg_section_name((enum eg_section)s));
	printf("'\n_eldergate_verbs() {\n\tcase $1 in\n");
	for (unsigned i = 0; i < n_commands; i++) {
		const char *word = commands[i].arguments;
		bool fixed = *word >= 'a' && *word <= 'z'; /* not what stands for one */
		if (!first_of_noun(i) || (!*commands[i].verb && !fixed))
			continue;
		printf("\t%s) printf %%s '%s", commands[i].noun, fixed ? word : "");
		for (unsigned k = i; k < n_commands; k++)
			if (strcmp(commands[k].noun, commands[i].noun) == 0)
				printf(" %s", commands[k].verb);
		printf("' ;;\n");
	}
	printf("\tesac\n}\n");
}

enum eg_rc shell_completion(struct cli *c, struct eg_err *err)
{
	if (strcmp(c->arguments[0], "bash") != 0)
		return eg_fail(err, EG_USAGE, "there is completion for bash");
	printf("# bash completion for eldergate, made by `eldergate completion bash`.\n"
	       "# For bash alone: zsh's bashcompinit lacks some of what it uses (mapfile, compopt).\n");
	put_words();
	put_table();
	fputs(script, stdout);
	return EG_OK;
}
