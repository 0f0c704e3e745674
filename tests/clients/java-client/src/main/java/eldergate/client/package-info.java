/**
 * A small client of Eldergate for agencies and platforms: submit with resume, subscribe with upsert, verify a proof. Use it as it
 * is or as a pattern:
 *
 * <pre>{@code
 * ManagedChannel channel = Connection.open("gateway.example:7443", authority, certificate, key);
 * new Submitter(channel, "registration").run(batches, receipts);
 * new Subscriber(channel, "subsidy-check", store).run(response -> false);
 * new Auditor(channel, VerifierKey.parse(text)).prove(seq);
 * }</pre>
 *
 * <p>It needs Java 17, grpc-java, and what protoc and protoc-gen-grpc-java make of proto/: see pom.xml. Ed25519 and SHA-256 are
 * the JDK's.
 */
package eldergate.client;
