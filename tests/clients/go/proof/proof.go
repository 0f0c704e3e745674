// Package proof checks what an Eldergate log signs, sharing no code with the gateway: signatures by
// golang.org/x/mod/sumdb/note, trees by golang.org/x/mod/sumdb/tlog, the rest from gateway/FORMAT.md and the C2SP
// specifications (tlog-checkpoint, tlog-proof).
package proof

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Checkpoint is a log's statement of how many entries it has, and the root of their tree.
type Checkpoint struct {
	Size int64
	Root tlog.Hash
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

// Open checks the note's signature and reads its text: origin, size, root, and perhaps lines that we don't know.
func Open(msg []byte, verifier note.Verifier) (c Checkpoint, err error) {
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
	if c.Size, err = number(lines[1]); err != nil {
		return c, err
	}
	c.Root, err = hash(lines[2])
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

// Inclusion checks a proof file: the entry's number, and the checkpoint that its path leads to.
func Inclusion(file []byte, verifier note.Verifier) (seq int64, c Checkpoint, err error) {
	head, msg, found := bytes.Cut(file, []byte("\n\n"))
	lines := strings.Split(string(head), "\n")
	if !found || lines[0] != "c2sp.org/tlog-proof@v1" || len(lines) < 3 {
		return 0, c, errors.New("not a proof file")
	}
	if !strings.HasPrefix(lines[1], "extra ") || !strings.HasPrefix(lines[2], "index ") {
		return 0, c, errors.New("a proof of ours has extra data and an index")
	}
	extra, err := decode(lines[1][len("extra "):])
	if err != nil {
		return 0, c, fmt.Errorf("the extra data: %w", err)
	}
	index, err := number(lines[2][len("index "):])
	if err != nil {
		return 0, c, err
	}
	var proof tlog.RecordProof
	for _, line := range lines[3:] {
		h, err := hash(line)
		if err != nil {
			return 0, c, err
		}
		proof = append(proof, h)
	}
	c, err = Open(msg, verifier)
	if err != nil {
		return 0, c, err
	}
	leaf, err := leafData(extra)
	if err != nil {
		return 0, c, err
	}
	if index >= c.Size {
		return 0, c, fmt.Errorf("a log of %d entries has no index %d", c.Size, index)
	}
	if err := tlog.CheckRecord(proof, c.Size, c.Root, index, tlog.RecordHash(leaf)); err != nil {
		return 0, c, err
	}
	return index + 1, c, nil
}

// Consistency checks that the log of the new note begins with that of the old one; lines: one hash each.
func Consistency(oldMsg, newMsg, lines []byte, verifier note.Verifier) (before, after Checkpoint, err error) {
	before, err = Open(oldMsg, verifier)
	if err != nil {
		return before, after, fmt.Errorf("the old note: %w", err)
	}
	after, err = Open(newMsg, verifier)
	if err != nil {
		return before, after, fmt.Errorf("the new note: %w", err)
	}
	var proof tlog.TreeProof
	text := string(lines)
	for text != "" {
		line, rest, found := strings.Cut(text, "\n")
		if !found {
			return before, after, errors.New("the proof's last line is cut short")
		}
		h, err := hash(line)
		if err != nil {
			return before, after, err
		}
		proof = append(proof, h)
		text = rest
	}
	if before.Size < 1 || before.Size > after.Size {
		return before, after, fmt.Errorf("no proof leads from %d entries to %d", before.Size, after.Size)
	}
	if err := tlog.CheckTree(proof, after.Size, after.Root, before.Size, before.Root); err != nil {
		return before, after, err
	}
	return before, after, nil
}
