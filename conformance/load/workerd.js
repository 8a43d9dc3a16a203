// What the node's function of the same case does, in the words of this peer.
export default {
  async fetch() {
    return new Response("hello, edge\n", {
      headers: { "Content-Type": "text/plain", "Cache-Control": "no-store", "X-Hook": "workerd" },
    });
  },
};
