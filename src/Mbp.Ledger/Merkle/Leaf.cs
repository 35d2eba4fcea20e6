using System.Buffers;
using System.Buffers.Text;
using NodaTime;

namespace Mbp.Ledger.Merkle;

/// <summary>
/// What the public log says of an event (integrity.md, section 1.2): the canonical JSON of <c>at, data, headers, id, stream, tenant, type,
/// v, version</c>. <c>at</c> is UTC as <c>yyyy-MM-ddTHH:mm:ss.ffffffZ</c>, always with six decimals; <c>id</c> is a UUID in lower case with
/// hyphens; <c>v</c> (the encoding: 1) and <c>version</c> (of the stream) are numbers, all else strings. <c>data</c> and <c>headers</c> are
/// commitments, base64 of HMAC-SHA-256 over the canonical JSON of the body and of the headers, keyed by the event's salt: the log is public
/// for ever, and a body must be erasable and not guessable. The position is left out, as the tree binds it.
/// </summary>
public static class Leaf
{
    /// <summary>Random bytes of each event, kept apart from it: exactly as many.</summary>
    public const int SaltSize = 16;

    /// <summary>The bytes of the longest entry: its length is a uint16 in an entry bundle (C2SP tlog-tiles).</summary>
    public const int MaxSize = ushort.MaxValue;

    /// <summary>The tenant that Marten gives to the events of a store without tenants.</summary>
    public const string DefaultTenant = "*DEFAULT*";

    private const int CommitmentSize = 44;

    /// <summary>
    /// The entry of a position that no event has: a foreign transaction took the number and was rolled back. It has no <c>id</c>, so it can be
    /// taken for no event's.
    /// </summary>
    public static ReadOnlySpan<byte> Void => "{\"type\":\"void\",\"v\":1}"u8;

    /// <summary>Writes the entry of an event that is about to be stored; it needs no position, and so no lock.</summary>
    /// <returns>The entry's leaf hash.</returns>
    /// <inheritdoc cref="Write(StoredEvent, ReadOnlySpan{byte}, IBufferWriter{byte}, string)"/>
    public static MerkleHash Write(NewEvent @event, ReadOnlySpan<byte> salt, IBufferWriter<byte> output, string tenant = DefaultTenant)
    {
        ArgumentNullException.ThrowIfNull(@event);
        return Write(new Facts(@event, tenant), salt, output);
    }

    /// <summary>Writes the entry of a stored event: the bytes that were written when it was new, if nobody has changed it.</summary>
    /// <returns>The entry's leaf hash.</returns>
    /// <exception cref="CanonicalJsonException">The body or the headers are not JSON within the profile, or a name is not text.</exception>
    /// <exception cref="ArgumentException">The salt is not of <see cref="SaltSize"/> bytes, or the entry would be longer than <see cref="MaxSize"/>.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The version is not within 1 to 2^53 - 1, or the time before the year 1.</exception>
    public static MerkleHash Write(StoredEvent @event, ReadOnlySpan<byte> salt, IBufferWriter<byte> output, string tenant = DefaultTenant)
    {
        ArgumentNullException.ThrowIfNull(@event);
        return Write(new Facts(@event, tenant), salt, output);
    }

    private static MerkleHash Write(in Facts facts, ReadOnlySpan<byte> salt, IBufferWriter<byte> output)
    {
        ArgumentNullException.ThrowIfNull(output);
        var entry = output.GetSpan(facts.MaxLength);
        var length = Encode(facts, salt, entry);
        output.Advance(length);
        return MerkleTree.LeafHash(entry[..length]);
    }

    /// <summary>Writes the entry into a span of at least <see cref="Facts.MaxLength"/>.</summary>
    /// <returns>Its length.</returns>
    internal static int Encode(in Facts facts, ReadOnlySpan<byte> salt, Span<byte> output)
    {
        if (salt.Length != SaltSize)
        {
            throw new ArgumentException($"A salt has {SaltSize} bytes, not {salt.Length}.", nameof(salt));
        }

        ArgumentOutOfRangeException.ThrowIfLessThan(facts.Version, 1, nameof(facts.Version));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(facts.Version, CanonicalJson.MaxInteger, nameof(facts.Version));

        var entry = new Entry(output);
        entry.Put("{\"at\":\""u8);
        entry.Put(facts.At);
        entry.Put("\",\"data\":\""u8);
        entry.PutCommitment(salt, facts.Data);
        entry.Put("\",\"headers\":\""u8);
        // An event without headers and one with empty headers say the same.
        entry.PutCommitment(salt, facts.Headers.IsEmpty ? "{}"u8 : facts.Headers);
        entry.Put("\",\"id\":\""u8);
        entry.Put(facts.Id, "D");
        entry.Put("\",\"stream\":"u8);
        entry.PutString(facts.Stream);
        entry.Put(",\"tenant\":"u8);
        entry.PutString(facts.Tenant);
        entry.Put(",\"type\":"u8);
        entry.PutString(facts.Type);
        entry.Put(",\"v\":1,\"version\":"u8);
        entry.Put(facts.Version, default);
        entry.Put("}"u8);
        return entry.Length <= MaxSize ? entry.Length : throw new ArgumentException($"The entry of event {facts.Id} would have {entry.Length} bytes; {MaxSize} is the limit.");
    }

    /// <summary>What of an event goes into its entry, whether it is new or stored.</summary>
    internal readonly ref struct Facts
    {
        public Facts(NewEvent e, string tenant)
            : this(e.Id, e.Stream, e.Version, e.Body.Type, e.Body.Data, e.At, e.Headers.Span, tenant)
        {
        }

        public Facts(StoredEvent e, string tenant)
            : this(e.Id, e.Stream, e.Version, e.Type, e.Data.Span, e.At, e.Headers.Span, tenant)
        {
        }

        private Facts(Guid id, StreamId stream, long version, string type, ReadOnlySpan<byte> data, Instant at, ReadOnlySpan<byte> headers, string tenant)
        {
            (Id, Stream, Version, Type, Tenant, At) = (id, stream.Value, version, type, tenant, at);
            Data = data;
            Headers = headers;
        }

        public Guid Id { get; }

        public string Stream { get; }

        public long Version { get; }

        public string Type { get; }

        public string Tenant { get; }

        public Instant At { get; }

        public ReadOnlySpan<byte> Data { get; }

        public ReadOnlySpan<byte> Headers { get; }

        /// <summary>The bytes that the entry may need: its strings at their worst, and less than 300 for all else.</summary>
        public int MaxLength => 300 + CanonicalJson.MaxLength(Stream) + CanonicalJson.MaxLength(Tenant) + CanonicalJson.MaxLength(Type);
    }

    /// <summary>An entry as it grows.</summary>
    private ref struct Entry(Span<byte> output)
    {
        // An Instant reaches beyond it, a year of four digits does not.
        private static readonly Instant Earliest = Instant.FromUtc(1, 1, 1, 0, 0);

        private readonly Span<byte> _output = output;

        public int Length { get; private set; }

        private readonly Span<byte> Rest => _output[Length..];

        public void Put(ReadOnlySpan<byte> bytes)
        {
            bytes.CopyTo(Rest);
            Length += bytes.Length;
        }

        public void Put<T>(T value, ReadOnlySpan<char> format)
            where T : IUtf8SpanFormattable
        {
            value.TryFormat(Rest, out var written, format, provider: null);
            Length += written;
        }

        public void Put(Instant at)
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(at, Earliest);

            // "O" has seven decimals, always; the ledger keeps six, so the Z goes over the seventh.
            Put(at.ToDateTimeUtc(), "O");
            Length--;
            _output[Length - 1] = (byte)'Z';
        }

        public void PutString(string value) => Length += CanonicalJson.WriteString(value, Rest);

        public void PutCommitment(ReadOnlySpan<byte> salt, ReadOnlySpan<byte> json)
        {
            const int OnStack = 1024;
            Span<byte> mac = stackalloc byte[HmacSha256.Size];
            var rented = json.Length + HmacSha256.Before <= OnStack ? null : ArrayPool<byte>.Shared.Rent(json.Length + HmacSha256.Before);
            try
            {
                var buffer = rented ?? stackalloc byte[OnStack];
                var length = CanonicalJson.Write(json, buffer[HmacSha256.Before..]);
                HmacSha256.Compute(salt, buffer[..(HmacSha256.Before + length)], mac);
            }
            finally
            {
                if (rented is not null)
                {
                    ArrayPool<byte>.Shared.Return(rented);
                }
            }

            Base64.EncodeToUtf8(mac, Rest, out _, out _);
            Length += CommitmentSize;
        }
    }
}
