// Command verify checks a checkpoint, or a proof, of an Eldergate log: see package proof.
//
// Exit status: 0 it holds, 1 it does not, 2 the command was not understood or a file could not be read.
package main

import (
	"errors"
	"fmt"
	"os"

	"eldergate.example/verify/proof"
	"golang.org/x/mod/sumdb/note"
)

const usage = `usage:
  verify checkpoint NOTE VKEY
  verify inclusion PROOF_FILE VKEY
  verify consistency OLD_NOTE NEW_NOTE PROOF VKEY
VKEY is the verifier key itself, the other arguments are files; PROOF has one base64 hash a line.`

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "verify:", err)
		var told *trouble
		if errors.As(err, &told) {
			os.Exit(2)
		}
		os.Exit(1)
	}
}

// trouble is what says nothing about the log: a wrong command, an unreadable file.
type trouble struct{ text string }

func (t *trouble) Error() string { return t.text }

func run(args []string) error {
	arity := map[string]int{"checkpoint": 3, "inclusion": 3, "consistency": 5}
	if len(args) == 0 || arity[args[0]] != len(args) {
		return &trouble{usage}
	}
	verifier, err := note.NewVerifier(args[len(args)-1])
	if err != nil {
		return &trouble{"the verifier key: " + err.Error()}
	}
	var files [][]byte
	for _, name := range args[1 : len(args)-1] {
		data, err := os.ReadFile(name)
		if err != nil {
			return &trouble{err.Error()}
		}
		files = append(files, data)
	}
	switch args[0] {
	case "checkpoint":
		c, err := proof.Open(files[0], verifier)
		if err == nil {
			fmt.Printf("checkpoint of %d entries, root %s\n", c.Size, c.Root)
		}
		return err
	case "inclusion":
		seq, c, err := proof.Inclusion(files[0], verifier)
		if err == nil {
			fmt.Printf("entry %d is in the log of %d entries\n", seq, c.Size)
		}
		return err
	}
	before, after, err := proof.Consistency(files[0], files[1], files[2], verifier)
	if err == nil {
		fmt.Printf("the log of %d entries continues that of %d\n", after.Size, before.Size)
	}
	return err
}
