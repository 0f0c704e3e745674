// Command verify checks what an Eldergate log signs, sharing no code with the gateway: signatures by
// golang.org/x/mod/sumdb/note, trees by golang.org/x/mod/sumdb/tlog, the rest from gateway/FORMAT.md and the C2SP
// specifications (tlog-checkpoint, tlog-proof).
//
// Exit status: 0 it holds, 1 it does not, 2 the command was not understood or a file could not be read.
package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const usage = `usage:
  verify checkpoint NOTE VKEY
  verify inclusion PROOF_FILE VKEY
  verify consistency OLD_NOTE NEW_NOTE PROOF VKEY
VKEY is the verifier key itself, the other arguments are files; PROOF has one base64 hash a line.`

type checkpoint struct {
	size int64
	root tlog.Hash
}

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
		c, err := open(files[0], verifier)
		if err == nil {
			fmt.Printf("checkpoint of %d entries, root %s\n", c.size, c.root)
		}
		return err
	case "inclusion":
		return inclusion(files[0], verifier)
	}
	return consistency(files[0], files[1], files[2], verifier)
}

// decode is stricter than the library, which passes over line ends.
func decode(text string) ([]byte, error) {
	if strings.ContainsAny(text, "\r\n") {
		return nil, errors.New("base64 with a line end")
	}
	return base64.StdEncoding.Strict().DecodeString(text)
}

func hash(line string) (h tlog.Hash, err error) {
	raw, err := decode(line)
	if err != nil || len(raw) != len(h) {
		return h, fmt.Errorf("%q is not a hash", line)
	}
	copy(h[:], raw)
	return h, nil
}

func number(text string) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || strconv.FormatInt(n, 10) != text {
		return 0, fmt.Errorf("%q is not a number", text)
	}
	return n, nil
}

// open checks the note's signature and reads its text: origin, size, root, and perhaps lines that we don't know.
func open(msg []byte, verifier note.Verifier) (c checkpoint, err error) {
	n, err := note.Open(msg, note.VerifierList(verifier))
	if err != nil {
		return c, err
	}
	lines := strings.Split(strings.TrimSuffix(n.Text, "\n"), "\n")
	if len(lines) < 3 {
		return c, errors.New("not a checkpoint: it has too few lines")
	}
	for _, line := range lines {
		if line == "" {
			return c, errors.New("not a checkpoint: it has an empty line")
		}
	}
	if lines[0] != verifier.Name() {
		return c, fmt.Errorf("a checkpoint of %q, not of %q", lines[0], verifier.Name())
	}
	if c.size, err = number(lines[1]); err != nil {
		return c, err
	}
	c.root, err = hash(lines[2])
	return c, err
}

// leafData is what stands for an entry in the tree, from the extra data of its proof.
func leafData(extra []byte) ([]byte, error) {
	const frame = 4 + 2*sha256.Size
	if len(extra) < frame || uint64(binary.BigEndian.Uint32(extra)) != uint64(len(extra)-frame) {
		return nil, errors.New("the extra data is not an entry's header with its two commitments")
	}
	// Its four parts stand as the leaf wants them: length, header, C_claim, C_effect.
	leaf := sha256.Sum256(append([]byte("eldergate/leaf/v1\n"), extra...))
	return leaf[:], nil
}

func inclusion(file []byte, verifier note.Verifier) error {
	head, msg, found := bytes.Cut(file, []byte("\n\n"))
	lines := strings.Split(string(head), "\n")
	if !found || lines[0] != "c2sp.org/tlog-proof@v1" || len(lines) < 3 {
		return errors.New("not a proof file")
	}
	if !strings.HasPrefix(lines[1], "extra ") || !strings.HasPrefix(lines[2], "index ") {
		return errors.New("a proof of ours has extra data and an index")
	}
	extra, err := decode(lines[1][len("extra "):])
	if err != nil {
		return fmt.Errorf("the extra data: %w", err)
	}
	index, err := number(lines[2][len("index "):])
	if err != nil {
		return err
	}
	var proof tlog.RecordProof
	for _, line := range lines[3:] {
		h, err := hash(line)
		if err != nil {
			return err
		}
		proof = append(proof, h)
	}
	c, err := open(msg, verifier)
	if err != nil {
		return err
	}
	leaf, err := leafData(extra)
	if err != nil {
		return err
	}
	if index >= c.size {
		return fmt.Errorf("a log of %d entries has no index %d", c.size, index)
	}
	if err := tlog.CheckRecord(proof, c.size, c.root, index, tlog.RecordHash(leaf)); err != nil {
		return err
	}
	fmt.Printf("entry %d is in the log of %d entries\n", index+1, c.size)
	return nil
}

func consistency(oldMsg, newMsg, lines []byte, verifier note.Verifier) error {
	before, err := open(oldMsg, verifier)
	if err != nil {
		return fmt.Errorf("the old note: %w", err)
	}
	after, err := open(newMsg, verifier)
	if err != nil {
		return fmt.Errorf("the new note: %w", err)
	}
	var proof tlog.TreeProof
	text := string(lines)
	for text != "" {
		line, rest, found := strings.Cut(text, "\n")
		if !found {
			return errors.New("the proof's last line is cut short")
		}
		h, err := hash(line)
		if err != nil {
			return err
		}
		proof = append(proof, h)
		text = rest
	}
	if before.size < 1 || before.size > after.size {
		return fmt.Errorf("no proof leads from %d entries to %d", before.size, after.size)
	}
	if err := tlog.CheckTree(proof, after.size, after.root, before.size, before.root); err != nil {
		return err
	}
	fmt.Printf("the log of %d entries continues that of %d\n", after.size, before.size)
	return nil
}
