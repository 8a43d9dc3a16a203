// Why there is no picture: a status and a sentence for viewers, and what they need not know for the log.
export class Refusal extends Error {
  constructor(status, description, message, reason = message) {
    super(message);
    this.status = status;
    this.description = description;
    this.reason = reason;
  }
}
